#include "conv.h"

#include <tensorflow/c/c_api.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>

#include "outer-product.h"
#include "winograd.h"

// The C interface for kernels and operations: exported by every TensorFlow since 2.3, its headers not among those that
// set-up unpacks.
extern "C" {
struct TF_OpDefinitionBuilder;
struct TF_KernelBuilder;
struct TF_OpKernelConstruction;
struct TF_OpKernelContext;
struct TF_ShapeInferenceContext;
TF_OpDefinitionBuilder* TF_NewOpDefinitionBuilder(const char* name);
void TF_OpDefinitionBuilderAddInput(TF_OpDefinitionBuilder* builder, const char* spec);
void TF_OpDefinitionBuilderAddOutput(TF_OpDefinitionBuilder* builder, const char* spec);
void TF_OpDefinitionBuilderAddAttr(TF_OpDefinitionBuilder* builder, const char* spec);
void TF_OpDefinitionBuilderSetShapeInferenceFunction(TF_OpDefinitionBuilder* builder,
                                                     void (*infer)(TF_ShapeInferenceContext*, TF_Status*));
void TF_ShapeInferenceContextSetUnknownShape(TF_ShapeInferenceContext* context, TF_Status* status);
void TF_RegisterOpDefinition(TF_OpDefinitionBuilder* builder, TF_Status* status);
TF_KernelBuilder* TF_NewKernelBuilder(const char* op, const char* device,
                                      void* (*create)(TF_OpKernelConstruction*),
                                      void (*compute)(void*, TF_OpKernelContext*), void (*destroy)(void*));
void TF_KernelBuilder_TypeConstraint(TF_KernelBuilder* builder, const char* attribute, TF_DataType type,
                                     TF_Status* status);
void TF_RegisterKernelBuilder(const char* name, TF_KernelBuilder* builder, TF_Status* status);
void TF_OpKernelConstruction_GetAttrInt64(TF_OpKernelConstruction* construction, const char* attribute, int64_t* value,
                                          TF_Status* status);
void TF_OpKernelConstruction_Failure(TF_OpKernelConstruction* construction, TF_Status* status);
void TF_GetInput(TF_OpKernelContext* context, int index, TF_Tensor** tensor, TF_Status* status);
TF_Tensor* TF_AllocateOutput(TF_OpKernelContext* context, int index, TF_DataType dtype, const int64_t* dims,
                             int rank, size_t bytes, TF_Status* status);
void TF_OpKernelContext_Failure(TF_OpKernelContext* context, TF_Status* status);
}

namespace cifar10_fast {
namespace {

enum class Pass { kForward, kInput, kFilter };

// How an operation computes, as its attributes say.
struct Choice {
  int tile;
  int threads;
};

template <typename T>
constexpr TF_DataType kType = TF_FLOAT;
template <>
constexpr TF_DataType kType<uint16_t> = TF_BFLOAT16;

template <typename T>
const WinogradPasses<T>* winograd();
template <>
const WinogradPasses<float>* winograd<float>() {
  return winogradFloat();
}
template <>
const WinogradPasses<uint16_t>* winograd<uint16_t>() {
  return winogradBfloat16();
}

void* createKernel(TF_OpKernelConstruction* construction) {
  TF_Status* status = TF_NewStatus();
  int64_t tile = 0;
  int64_t threads = 0;
  TF_OpKernelConstruction_GetAttrInt64(construction, "tile", &tile, status);
  if (TF_GetCode(status) == TF_OK) TF_OpKernelConstruction_GetAttrInt64(construction, "threads", &threads, status);
  if (TF_GetCode(status) != TF_OK) TF_OpKernelConstruction_Failure(construction, status);
  TF_DeleteStatus(status);
  return new Choice{static_cast<int>(tile), static_cast<int>(std::max<int64_t>(1, threads))};
}

void destroyKernel(void* kernel) { delete static_cast<Choice*>(kernel); }

template <typename T>
bool fits(Pass pass, const Choice& choice, const ConvShape& s) {
  if (choice.tile == 0) return pass == Pass::kFilter && kType<T> == TF_BFLOAT16 && hasOuterProduct() && fitsOuterProduct(s);
  const WinogradPasses<T>* passes = winograd<T>();
  return (choice.tile == 2 || choice.tile == 4) && passes != nullptr && s.ci % passes->multiple == 0 &&
         s.co % passes->multiple == 0;
}

// Inputs a and b: activations and kernel, or for the gradient by the kernel both activations.
template <typename T, Pass P>
void compute(void* kernel, TF_OpKernelContext* context) {
  const Choice& choice = *static_cast<Choice*>(kernel);
  TF_Status* status = TF_NewStatus();
  TF_Tensor* a = nullptr;
  TF_Tensor* b = nullptr;
  TF_GetInput(context, 0, &a, status);
  if (TF_GetCode(status) == TF_OK) TF_GetInput(context, 1, &b, status);
  if (TF_GetCode(status) == TF_OK) {
    bool is_whole = TF_NumDims(a) == 4 && TF_NumDims(b) == 4;
    ConvShape s{};
    if (is_whole) {
      s = ConvShape{TF_Dim(a, 0), TF_Dim(a, 1), TF_Dim(a, 2), P == Pass::kFilter ? TF_Dim(a, 3) : TF_Dim(b, 2), TF_Dim(b, 3)};
      is_whole = P == Pass::kFilter
                     ? TF_Dim(b, 0) == s.n && TF_Dim(b, 1) == s.h && TF_Dim(b, 2) == s.w
                     : TF_Dim(b, 0) == 3 && TF_Dim(b, 1) == 3 && TF_Dim(a, 3) == (P == Pass::kForward ? s.ci : s.co);
    }
    if (!is_whole || !fits<T>(P, choice, s)) {
      const std::string problem = "Cifar10FastConv3x3: no algorithm of tile " + std::to_string(choice.tile) +
                                  " for these shapes on this processor";
      TF_SetStatus(status, TF_INVALID_ARGUMENT, problem.c_str());
    } else {
      const int64_t kernel_dims[] = {3, 3, s.ci, s.co};
      const int64_t image_dims[] = {s.n, s.h, s.w, P == Pass::kForward ? s.co : s.ci};
      const int64_t* dims = P == Pass::kFilter ? kernel_dims : image_dims;
      const size_t bytes = dims[0] * dims[1] * dims[2] * dims[3] * (P == Pass::kFilter ? sizeof(float) : sizeof(T));
      TF_Tensor* out = TF_AllocateOutput(context, 0, P == Pass::kFilter ? TF_FLOAT : kType<T>, dims, 4, bytes, status);
      if (TF_GetCode(status) == TF_OK) {
        const T* x = static_cast<const T*>(TF_TensorData(a));
        void* to = TF_TensorData(out);
        if constexpr (P == Pass::kForward) {
          winograd<T>()->forward(x, static_cast<const float*>(TF_TensorData(b)), s, choice.tile, choice.threads,
                                 static_cast<T*>(to));
        } else if constexpr (P == Pass::kInput) {
          winograd<T>()->backprop_input(x, static_cast<const float*>(TF_TensorData(b)), s, choice.tile, choice.threads,
                                        static_cast<T*>(to));
        } else {
          const T* dy = static_cast<const T*>(TF_TensorData(b));
          if constexpr (kType<T> == TF_BFLOAT16) {
            if (choice.tile == 0) outerProductFilter(x, dy, s, choice.threads, static_cast<float*>(to));
          }
          if (choice.tile != 0) {
            winograd<T>()->backprop_filter(x, dy, s, choice.tile, choice.threads, static_cast<float*>(to));
          }
        }
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
  TF_OpDefinitionBuilderAddAttr(op, "tile: int");
  TF_OpDefinitionBuilderAddAttr(op, "threads: int");
  TF_OpDefinitionBuilderAddInput(op, a);
  TF_OpDefinitionBuilderAddInput(op, b);
  TF_OpDefinitionBuilderAddOutput(op, out);
  // The engine tells the shape itself.
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, TF_ShapeInferenceContextSetUnknownShape);
  TF_RegisterOpDefinition(op, status);
  registerKernel<float, P>(name, status);
  registerKernel<uint16_t, P>(name, status);
  TF_DeleteStatus(status);
}

}  // namespace

int winogradMultiple(bool is_bfloat16) {
  if (is_bfloat16) return winogradBfloat16() == nullptr ? 0 : winogradBfloat16()->multiple;
  return winogradFloat() == nullptr ? 0 : winogradFloat()->multiple;
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
