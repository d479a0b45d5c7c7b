#include "conv.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>
#include <type_traits>

#include "amx.h"
#include "outer-product.h"
#include "tensorflow-kernels.h"
#include "winograd-bf16.h"
#include "winograd.h"

namespace cifar10_fast {
namespace {

// How an operation computes, from its attributes.
struct Choice {
  std::string algorithm;
  int64_t extents[4];
  int threads;
};

template <typename T>
constexpr TF_DataType kType = TF_FLOAT;
template <>
constexpr TF_DataType kType<uint16_t> = TF_BFLOAT16;

void* createKernel(TF_OpKernelConstruction* construction) {
  TF_Status* status = TF_NewStatus();
  auto* choice = new Choice{};
  int32_t list = 0;
  int32_t bytes = 0;
  int64_t threads = 0;
  const auto isFine = [&] { return TF_GetCode(status) == TF_OK; };
  TF_OpKernelConstruction_GetAttrSize(construction, "algorithm", &list, &bytes, status);
  if (isFine()) {
    choice->algorithm.resize(bytes);
    TF_OpKernelConstruction_GetAttrString(construction, "algorithm", choice->algorithm.data(), bytes, status);
  }
  if (isFine()) TF_OpKernelConstruction_GetAttrInt64List(construction, "extents", choice->extents, 4, status);
  if (isFine()) TF_OpKernelConstruction_GetAttrInt64(construction, "threads", &threads, status);
  if (!isFine()) TF_OpKernelConstruction_Failure(construction, status);
  choice->threads = static_cast<int>(std::max<int64_t>(1, threads));
  TF_DeleteStatus(status);
  return choice;
}

void destroyKernel(void* kernel) { delete static_cast<Choice*>(kernel); }

// Computes a pass for a shape that the algorithm supports.
template <Pass P>
void run(const Choice& choice, const ConvShape& s, const float* a, const float* b, float* out) {
  const WinogradPasses* passes = winogradFloat();
  const int tile = choice.algorithm == "winograd-7" ? 7 : choice.algorithm == "winograd-6" ? 6 : 4;
  const auto pass = P == Pass::kForward  ? passes->forward
                    : P == Pass::kInput ? passes->backprop_input
                                        : passes->backprop_filter;
  pass(a, b, s, tile, choice.threads, out);
}

template <Pass P>
void run(const Choice& choice, const ConvShape& s, const uint16_t* a, const void* b, void* out) {
  const bool has_amx = choice.algorithm == "winograd-2-amx";
  if constexpr (P == Pass::kFilter) {
    const auto* dy = static_cast<const uint16_t*>(b);
    auto* dk = static_cast<float*>(out);
    if (choice.algorithm == "outer-product") return outerProductFilter(a, dy, s, choice.threads, dk);
    winogradBf16Filter(a, dy, s, has_amx, choice.threads, dk);
  } else {
    const auto pass = P == Pass::kForward ? winogradBf16Forward : winogradBf16Input;
    pass(a, static_cast<const float*>(b), s, has_amx, choice.threads, static_cast<uint16_t*>(out));
  }
}

// Inputs a and b: activations and kernel; for the kernel gradient, both are activations.
template <typename T, Pass P>
void compute(void* kernel, TF_OpKernelContext* context) {
  const Choice& choice = *static_cast<Choice*>(kernel);
  const auto [h, w, oh, ow] = choice.extents;
  TF_Status* status = TF_NewStatus();
  TF_Tensor* a = nullptr;
  TF_Tensor* b = nullptr;
  TF_GetInput(context, 0, &a, status);
  if (TF_GetCode(status) == TF_OK) TF_GetInput(context, 1, &b, status);
  if (TF_GetCode(status) == TF_OK) {
    bool is_whole = TF_NumDims(a) == 4 && TF_NumDims(b) == 4;
    ConvShape s{};
    if (is_whole) {
      s = ConvShape{TF_Dim(a, 0), h, w, P == Pass::kFilter ? TF_Dim(a, 3) : TF_Dim(b, 2), TF_Dim(b, 3), oh, ow};
      const bool is_output = P == Pass::kInput;
      is_whole = TF_Dim(a, 1) == (is_output ? oh : h) && TF_Dim(a, 2) == (is_output ? ow : w) &&
                 (P == Pass::kFilter ? TF_Dim(b, 0) == s.n && TF_Dim(b, 1) == oh && TF_Dim(b, 2) == ow
                                     : TF_Dim(b, 0) == 3 && TF_Dim(b, 1) == 3 &&
                                           TF_Dim(a, 3) == (P == Pass::kForward ? s.ci : s.co));
    }
    const auto known = is_whole ? convAlgorithms(P, std::is_same_v<T, uint16_t>, s) : std::vector<std::string>{};
    if (std::find(known.begin(), known.end(), choice.algorithm) == known.end()) {
      const std::string problem =
          "Cifar10FastConv3x3: this processor has no algorithm \"" + choice.algorithm + "\" for these shapes";
      TF_SetStatus(status, TF_INVALID_ARGUMENT, problem.c_str());
    } else {
      const int64_t kernel_dims[] = {3, 3, s.ci, s.co};
      const int64_t output_dims[] = {s.n, oh, ow, s.co};
      const int64_t image_dims[] = {s.n, h, w, s.ci};
      const int64_t* dims = P == Pass::kFilter ? kernel_dims : P == Pass::kForward ? output_dims : image_dims;
      const size_t bytes = dims[0] * dims[1] * dims[2] * dims[3] * (P == Pass::kFilter ? sizeof(float) : sizeof(T));
      TF_Tensor* out = TF_AllocateOutput(context, 0, P == Pass::kFilter ? TF_FLOAT : kType<T>, dims, 4, bytes, status);
      if (TF_GetCode(status) == TF_OK) {
        using Other = std::conditional_t<std::is_same_v<T, float>, float, void>;
        withMemoryErrors(status, [&] {
          run<P>(choice, s, static_cast<const T*>(TF_TensorData(a)), static_cast<const Other*>(TF_TensorData(b)),
                 static_cast<Other*>(TF_TensorData(out)));
        });
        TF_DeleteTensor(out);
      }
    }
  }
  if (TF_GetCode(status) != TF_OK) TF_OpKernelContext_Failure(context, status);
  if (a != nullptr) TF_DeleteTensor(a);
  if (b != nullptr) TF_DeleteTensor(b);
  TF_DeleteStatus(status);
}

template <typename T, Pass P>
void registerKernel(const char* name, TF_Status* status) {
  TF_KernelBuilder* builder = TF_NewKernelBuilder(name, "CPU", createKernel, compute<T, P>, destroyKernel);
  TF_KernelBuilder_TypeConstraint(builder, "T", kType<T>, status);
  TF_RegisterKernelBuilder(name, builder, status);
}

template <Pass P>
void registerOperation(const char* name, const char* a, const char* b, const char* out) {
  TF_Status* status = TF_NewStatus();
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(name);
  TF_OpDefinitionBuilderAddAttr(op, "T: {float, bfloat16}");
  TF_OpDefinitionBuilderAddAttr(op, "algorithm: string");
  TF_OpDefinitionBuilderAddAttr(op, "extents: list(int)");
  TF_OpDefinitionBuilderAddAttr(op, "threads: int");
  TF_OpDefinitionBuilderAddInput(op, a);
  TF_OpDefinitionBuilderAddInput(op, b);
  TF_OpDefinitionBuilderAddOutput(op, out);
  // The engine sets the shape itself.
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, TF_ShapeInferenceContextSetUnknownShape);
  TF_RegisterOpDefinition(op, status);
  registerKernel<float, P>(name, status);
  registerKernel<uint16_t, P>(name, status);
  TF_DeleteStatus(status);
}

}  // namespace

std::vector<std::string> convAlgorithms(Pass pass, bool is_bfloat16, const ConvShape& s) {
  std::vector<std::string> found;
  const auto isNear = [](int64_t extent, int64_t output) { return output == extent || output == extent - 1; };
  if (s.n < 1 || s.oh < 1 || s.ow < 1) return found;
  if (s.isPadded() && (!isNear(s.h, s.oh) || !isNear(s.w, s.ow))) return found;
  if (is_bfloat16) {
    if (!s.isPadded()) return found;
    if (pass == Pass::kFilter && hasOuterProduct() && fitsOuterProduct(s)) found.push_back("outer-product");
    // Tiles of 4x4 are too inaccurate in bf16: an error of 5 % of the largest element was measured.
    if (hasWinogradBf16() && fitsWinogradBf16(s)) {
      found.push_back("winograd-2");
      if (amxState() == Amx::kUsable) found.push_back("winograd-2-amx");
    }
    return found;
  }
  const WinogradPasses* passes = winogradFloat();
  if (passes != nullptr && s.ci % passes->multiple == 0 && s.co % passes->multiple == 0) {
    found.push_back("winograd-4");
    found.push_back("winograd-6");
    found.push_back("winograd-7");
  }
  return found;
}

void registerConvKernels() {
  static std::once_flag once;
  std::call_once(once, [] {
    registerOperation<Pass::kForward>("Cifar10FastConv3x3", "x: T", "k: float", "y: T");
    registerOperation<Pass::kInput>("Cifar10FastConv3x3BackpropInput", "dy: T", "k: float", "dx: T");
    registerOperation<Pass::kFilter>("Cifar10FastConv3x3BackpropFilter", "x: T", "dy: T", "dk: float");
  });
}

}  // namespace cifar10_fast
