// The passes of elementwise.h as TensorFlow operations. T is float or bfloat16, per-channel values are float [C].
//
//   Cifar10FastActivation          x, bias -> y
//   Cifar10FastActivationGrad      dy, x, bias -> dx, dbias
//   Cifar10FastBatchNorm                x, scale, bias -> y, mean, variance (unbiased), reciprocal
//   Cifar10FastBatchNormGrad            dy, x, scale, bias, mean, reciprocal -> dx, dscale, dbias
//   Cifar10FastBatchNormInference       x, scale, bias, mean, variance -> y
//   Cifar10FastMaxPool             x -> y, place (uint8)
//   Cifar10FastMaxPoolGrad         dy, place -> dx
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <mutex>
#include <vector>

#include "elementwise.h"
#include "tensorflow-kernels.h"

namespace cifar10_fast {
namespace {

// The attributes of an operation; those that it does not have keep these defaults.
struct Settings {
  int64_t activation = 0;
  int64_t threads = 1;
  int64_t size = 1;
  int64_t height = 0;
  int64_t width = 0;
  float alpha = 1;
  float epsilon = 0;

  Activation act() const { return {static_cast<Act>(activation), alpha}; }
  int threadCount() const { return static_cast<int>(threads); }
};

template <typename T>
constexpr TF_DataType kType = TF_FLOAT;
template <>
constexpr TF_DataType kType<uint16_t> = TF_BFLOAT16;
template <>
constexpr TF_DataType kType<uint8_t> = TF_UINT8;

template <typename T>
const ElementwisePasses<T>* passes();
template <>
const ElementwisePasses<float>* passes<float>() {
  return elementwiseFloat();
}
template <>
const ElementwisePasses<uint16_t>* passes<uint16_t>() {
  return elementwiseBfloat16();
}

using Dims = std::vector<int64_t>;

int64_t product(const Dims& dims) {
  int64_t size = 1;
  for (int64_t extent : dims) size *= extent;
  return size;
}

// One call of a kernel: its inputs and outputs, freed at the end of the call, and its status.
class Call {
 public:
  explicit Call(TF_OpKernelContext* context) : context_(context), status_(TF_NewStatus()) {}
  ~Call() {
    if (!isFine()) TF_OpKernelContext_Failure(context_, status_);
    for (TF_Tensor* tensor : held_) TF_DeleteTensor(tensor);
    TF_DeleteStatus(status_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  bool isFine() const { return TF_GetCode(status_) == TF_OK; }
  // Runs the body of the kernel.
  template <typename Work>
  void attempt(const Work& work) {
    withMemoryErrors(status_, work);
  }
  bool require(bool holds, const char* problem) {
    if (isFine() && !holds) TF_SetStatus(status_, TF_INVALID_ARGUMENT, problem);
    return isFine();
  }
  // An input; null after an error.
  template <typename T>
  const T* input(int index, Dims* dims) {
    TF_Tensor* tensor = nullptr;
    if (isFine()) TF_GetInput(context_, index, &tensor, status_);
    if (!isFine()) return nullptr;
    held_.push_back(tensor);
    dims->resize(TF_NumDims(tensor));
    for (size_t axis = 0; axis < dims->size(); axis++) (*dims)[axis] = TF_Dim(tensor, static_cast<int>(axis));
    return static_cast<const T*>(TF_TensorData(tensor));
  }
  // The shape of an input, which stays unread.
  Dims dimsOf(int index) {
    Dims dims;
    input<char>(index, &dims);
    if (!isFine()) return dims;
    TF_DeleteTensor(held_.back());
    held_.pop_back();
    return dims;
  }
  // An input with one number per channel.
  const float* perChannel(int index, int64_t channels) {
    Dims dims;
    const float* data = input<float>(index, &dims);
    require(dims.size() == 1 && dims[0] == channels, "cifar10-fast: an input has another number of channels than x");
    return data;
  }
  template <typename T>
  T* output(int index, const Dims& dims) {
    if (!isFine()) return nullptr;
    return hold<T>(TF_AllocateOutput(context_, index, kType<T>, dims.data(), static_cast<int>(dims.size()),
                                     product(dims) * sizeof(T), status_));
  }
  // Reuses the memory of an input of the same shape if nothing else reads that input. Call it before reading the input.
  template <typename T>
  T* outputOver(int input, int index, const Dims& dims) {
    if (!isFine()) return nullptr;
    int forwarded = -1;
    return hold<T>(TF_ForwardInputOrAllocateOutput(context_, &input, 1, index, dims.data(),
                                                   static_cast<int>(dims.size()), &forwarded, status_));
  }

 private:
  template <typename T>
  T* hold(TF_Tensor* tensor) {
    if (!isFine()) return nullptr;
    held_.push_back(tensor);
    return static_cast<T*>(TF_TensorData(tensor));
  }
  TF_OpKernelContext* context_;
  TF_Status* status_;
  std::vector<TF_Tensor*> held_;
};

constexpr const char* kOtherShapes = "cifar10-fast: dy and x have different shapes";

bool isRows(Call& call, const Dims& dims) {
  return call.require(!dims.empty() && dims.back() > 0, "cifar10-fast: x has no channels");
}

Rows rowsOf(const Dims& dims) { return {product(dims) / dims.back(), dims.back()}; }

template <typename T>
void activation(const Settings& settings, Call& call) {
  Dims dims = call.dimsOf(0);
  if (!isRows(call, dims)) return;
  const Rows rows = rowsOf(dims);
  const float* bias = call.perChannel(1, rows.channels);
  T* y = call.outputOver<T>(0, 0, dims);
  const T* x = call.input<T>(0, &dims);
  if (call.isFine()) passes<T>()->activate(x, bias, rows, settings.act(), settings.threadCount(), y);
}

template <typename T>
void activationGradient(const Settings& settings, Call& call) {
  Dims dims, of_dy;
  const T* x = call.input<T>(1, &dims);
  if (!isRows(call, dims)) return;
  const Rows rows = rowsOf(dims);
  const float* bias = call.perChannel(2, rows.channels);
  T* dx = call.outputOver<T>(0, 0, dims);
  float* dbias = call.output<float>(1, {rows.channels});
  const T* dy = call.input<T>(0, &of_dy);
  if (!call.require(dims == of_dy, kOtherShapes)) return;
  passes<T>()->activate_gradient(dy, x, bias, rows, settings.act(), settings.threadCount(), dx, dbias);
}

template <typename T>
void norm(const Settings& settings, Call& call) {
  Dims dims;
  const T* x = call.input<T>(0, &dims);
  if (!isRows(call, dims)) return;
  const Rows rows = rowsOf(dims);
  const float* scale = call.perChannel(1, rows.channels);
  const float* bias = call.perChannel(2, rows.channels);
  T* y = call.output<T>(0, dims);
  float* mean = call.output<float>(1, {rows.channels});
  float* variance = call.output<float>(2, {rows.channels});
  float* reciprocal = call.output<float>(3, {rows.channels});
  if (!call.isFine()) return;
  std::vector<double> means(rows.channels), squares(rows.channels);
  passes<T>()->moments(x, rows, settings.threadCount(), means.data(), squares.data());
  const double count = static_cast<double>(rows.count);
  for (int64_t i = 0; i < rows.channels; i++) {
    mean[i] = static_cast<float>(means[i]);
    variance[i] = static_cast<float>(squares[i] / std::max(1.0, count - 1));
    reciprocal[i] = static_cast<float>(1 / std::sqrt(squares[i] / count + settings.epsilon));
  }
  passes<T>()->normalise(x, {scale, bias, mean, reciprocal}, rows, settings.act(), settings.threadCount(), y);
}

template <typename T>
void normGradient(const Settings& settings, Call& call) {
  Dims dims, of_dy;
  const T* x = call.input<T>(1, &dims);
  if (!isRows(call, dims)) return;
  const Rows rows = rowsOf(dims);
  const NormNumbers numbers{call.perChannel(2, rows.channels), call.perChannel(3, rows.channels),
                            call.perChannel(4, rows.channels), call.perChannel(5, rows.channels)};
  T* dx = call.outputOver<T>(0, 0, dims);
  float* dscale = call.output<float>(1, {rows.channels});
  float* dbias = call.output<float>(2, {rows.channels});
  const T* dy = call.input<T>(0, &of_dy);
  if (!call.require(dims == of_dy, kOtherShapes)) return;
  passes<T>()->normalise_gradient(dy, x, numbers, rows, settings.act(), settings.threadCount(), dx, dscale, dbias);
}

template <typename T>
void normInference(const Settings& settings, Call& call) {
  Dims dims;
  const T* x = call.input<T>(0, &dims);
  if (!isRows(call, dims)) return;
  const Rows rows = rowsOf(dims);
  const float* scale = call.perChannel(1, rows.channels);
  const float* bias = call.perChannel(2, rows.channels);
  const float* mean = call.perChannel(3, rows.channels);
  const float* variance = call.perChannel(4, rows.channels);
  T* y = call.output<T>(0, dims);
  if (!call.isFine()) return;
  std::vector<float> reciprocal(rows.channels);
  for (int64_t i = 0; i < rows.channels; i++) {
    reciprocal[i] = static_cast<float>(1 / std::sqrt(static_cast<double>(variance[i]) + settings.epsilon));
  }
  passes<T>()->normalise(x, {scale, bias, mean, reciprocal.data()}, rows, settings.act(), settings.threadCount(), y);
}

template <typename T>
void maxPool(const Settings& settings, Call& call) {
  Dims dims;
  const T* x = call.input<T>(0, &dims);
  const int64_t size = settings.size;
  if (!call.require(dims.size() == 4 && size >= 1 && size <= 16 && dims[1] >= size && dims[2] >= size,
                    "cifar10-fast: max pooling takes [N,H,W,C] and windows of 1 to 16 pixels that fit")) {
    return;
  }
  const PoolShape shape{dims[0], dims[1], dims[2], dims[3], size};
  const Dims pooled{shape.n, shape.h / size, shape.w / size, shape.c};
  T* y = call.output<T>(0, pooled);
  uint8_t* place = call.output<uint8_t>(1, pooled);
  if (call.isFine()) passes<T>()->pool(x, shape, settings.threadCount(), y, place);
}

template <typename T>
void maxPoolGradient(const Settings& settings, Call& call) {
  Dims dims, places;
  const T* dy = call.input<T>(0, &dims);
  const uint8_t* place = call.input<uint8_t>(1, &places);
  const int64_t size = std::max<int64_t>(1, settings.size);
  if (!call.require(dims.size() == 4 && dims == places && dims[1] == settings.height / size &&
                        dims[2] == settings.width / size,
                    "cifar10-fast: dy is not of the shape of a pooled x")) {
    return;
  }
  const PoolShape shape{dims[0], settings.height, settings.width, dims[3], size};
  T* dx = call.output<T>(0, {shape.n, shape.h, shape.w, shape.c});
  if (call.isFine()) passes<T>()->pool_gradient(dy, place, shape, settings.threadCount(), dx);
}

void* createSettings(TF_OpKernelConstruction* construction) {
  auto* settings = new Settings;
  // An attribute that the operation does not have keeps its default.
  const auto read = [construction](const char* name, auto* value, auto get) {
    TF_Status* status = TF_NewStatus();
    auto found = *value;
    get(construction, name, &found, status);
    if (TF_GetCode(status) == TF_OK) *value = found;
    TF_DeleteStatus(status);
  };
  read("activation", &settings->activation, TF_OpKernelConstruction_GetAttrInt64);
  read("threads", &settings->threads, TF_OpKernelConstruction_GetAttrInt64);
  read("size", &settings->size, TF_OpKernelConstruction_GetAttrInt64);
  read("height", &settings->height, TF_OpKernelConstruction_GetAttrInt64);
  read("width", &settings->width, TF_OpKernelConstruction_GetAttrInt64);
  read("alpha", &settings->alpha, TF_OpKernelConstruction_GetAttrFloat);
  read("epsilon", &settings->epsilon, TF_OpKernelConstruction_GetAttrFloat);
  settings->threads = std::max<int64_t>(1, settings->threads);
  if (settings->activation < 0 || settings->activation >= kActs) {
    TF_Status* status = TF_NewStatus();
    TF_SetStatus(status, TF_INVALID_ARGUMENT, "cifar10-fast: there is no activation of this number");
    TF_OpKernelConstruction_Failure(construction, status);
    TF_DeleteStatus(status);
  }
  return settings;
}

void deleteSettings(void* settings) { delete static_cast<Settings*>(settings); }

template <void (*Run)(const Settings&, Call&)>
void compute(void* settings, TF_OpKernelContext* context) {
  Call call(context);
  if (call.require(elementwiseFloat() != nullptr, "cifar10-fast: this processor has neither AVX-512 nor AVX2")) {
    call.attempt([&] { Run(*static_cast<Settings*>(settings), call); });
  }
}

using Specs = std::initializer_list<const char*>;

template <void (*Float)(const Settings&, Call&), void (*Bfloat16)(const Settings&, Call&)>
void registerOperation(const char* name, Specs inputs, Specs outputs, Specs attributes) {
  TF_Status* status = TF_NewStatus();
  TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(name);
  TF_OpDefinitionBuilderAddAttr(op, "T: {float, bfloat16}");
  TF_OpDefinitionBuilderAddAttr(op, "threads: int");
  for (const char* spec : attributes) TF_OpDefinitionBuilderAddAttr(op, spec);
  for (const char* spec : inputs) TF_OpDefinitionBuilderAddInput(op, spec);
  for (const char* spec : outputs) TF_OpDefinitionBuilderAddOutput(op, spec);
  // The engine sets the shapes itself.
  TF_OpDefinitionBuilderSetShapeInferenceFunction(op, TF_ShapeInferenceContextSetUnknownShape);
  TF_RegisterOpDefinition(op, status);
  TF_KernelBuilder* wide = TF_NewKernelBuilder(name, "CPU", createSettings, compute<Float>, deleteSettings);
  TF_KernelBuilder_TypeConstraint(wide, "T", TF_FLOAT, status);
  TF_RegisterKernelBuilder(name, wide, status);
  TF_KernelBuilder* narrow = TF_NewKernelBuilder(name, "CPU", createSettings, compute<Bfloat16>, deleteSettings);
  TF_KernelBuilder_TypeConstraint(narrow, "T", TF_BFLOAT16, status);
  TF_RegisterKernelBuilder(name, narrow, status);
  TF_DeleteStatus(status);
}

}  // namespace

void registerElementwiseKernels() {
  static std::once_flag once;
  std::call_once(once, [] {
    using H = uint16_t;
    const Specs act{"activation: int", "alpha: float"};
    const Specs norm_act{"activation: int", "alpha: float", "epsilon: float"};
    registerOperation<activation<float>, activation<H>>("Cifar10FastActivation", {"x: T", "bias: float"}, {"y: T"},
                                                        act);
    registerOperation<activationGradient<float>, activationGradient<H>>(
        "Cifar10FastActivationGrad", {"dy: T", "x: T", "bias: float"}, {"dx: T", "dbias: float"}, act);
    registerOperation<norm<float>, norm<H>>("Cifar10FastBatchNorm", {"x: T", "scale: float", "bias: float"},
                                            {"y: T", "mean: float", "variance: float", "reciprocal: float"}, norm_act);
    registerOperation<normGradient<float>, normGradient<H>>(
        "Cifar10FastBatchNormGrad",
        {"dy: T", "x: T", "scale: float", "bias: float", "mean: float", "reciprocal: float"},
        {"dx: T", "dscale: float", "dbias: float"}, act);
    registerOperation<normInference<float>, normInference<H>>(
        "Cifar10FastBatchNormInference", {"x: T", "scale: float", "bias: float", "mean: float", "variance: float"},
        {"y: T"}, norm_act);
    registerOperation<maxPool<float>, maxPool<H>>("Cifar10FastMaxPool", {"x: T"}, {"y: T", "place: uint8"},
                                                  {"size: int"});
    registerOperation<maxPoolGradient<float>, maxPoolGradient<H>>(
        "Cifar10FastMaxPoolGrad", {"dy: T", "place: uint8"}, {"dx: T"}, {"size: int", "height: int", "width: int"});
  });
}

}  // namespace cifar10_fast
