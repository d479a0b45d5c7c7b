// The gradient of a 3x3 kernel in bfloat16, for processors with AVX-512 BF16.
//
// oneDNN computes it at less than half of the speed of the forward pass there. Written as a product it is one of the
// shape that the instruction likes best: dw[kh,kw] = sum over pixels p of x[p + offset]^T dy[p], an outer product per
// pixel, and vdpbf16ps takes two pixels at once when their values lie side by side. So both operands are packed in pairs
// of neighbouring pixels of a row, x three times: as it is, shifted left, shifted right. Then each of the nine offsets is
// the same product of contiguous rows; rows that fall off the image are left out.
//
//   x pack   [shift][Ci/8][image][row][pair][8 channels][2 pixels]
//   dy pack  [Co/(16 NR)][image][row][pair][16 NR channels][2 pixels]
//
// Sums are kept in float32 from the first product to the result.
#include "conv.h"

#include <immintrin.h>
#include <tensorflow/c/c_api.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

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
void TF_OpDefinitionBuilderSetShapeInferenceFunction(TF_OpDefinitionBuilder* builder,
                                                     void (*infer)(TF_ShapeInferenceContext*, TF_Status*));
void TF_ShapeInferenceContextSetUnknownShape(TF_ShapeInferenceContext* context, TF_Status* status);
void TF_RegisterOpDefinition(TF_OpDefinitionBuilder* builder, TF_Status* status);
TF_KernelBuilder* TF_NewKernelBuilder(const char* op, const char* device,
                                      void* (*create)(TF_OpKernelConstruction*),
                                      void (*compute)(void*, TF_OpKernelContext*), void (*destroy)(void*));
void TF_RegisterKernelBuilder(const char* name, TF_KernelBuilder* builder, TF_Status* status);
void TF_GetInput(TF_OpKernelContext* context, int index, TF_Tensor** tensor, TF_Status* status);
TF_Tensor* TF_AllocateOutput(TF_OpKernelContext* context, int index, TF_DataType dtype, const int64_t* dims,
                             int rank, size_t bytes, TF_Status* status);
void TF_OpKernelContext_Failure(TF_OpKernelContext* context, TF_Status* status);
}

namespace cifar10_fast {
namespace {

#define CIFAR10_FAST_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

constexpr int kRows = 8;  // input channels of a tile

struct Shape {
  int64_t n, h, w, ci, co;
};

// Memory aligned to a cache line, not initialised.
template <typename T>
class Buffer {
 public:
  explicit Buffer(size_t count)
      : data_(static_cast<T*>(std::aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64))) {}
  ~Buffer() { std::free(data_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  T* get() const { return data_; }

 private:
  T* data_;
};

// Pairs of pixels (w + shift, w + shift + 1) of every row, w even, for shift -1, 0, 1; a pixel off the row is zero.
CIFAR10_FAST_TARGET void packInput(const uint16_t* x, const Shape& s, int64_t images, uint16_t* pack) {
  const int64_t pairs = s.w / 2;
  const int64_t panel = images * s.h * pairs * kRows * 2;
  const int64_t panels = s.ci / kRows;
  for (int shift = -1; shift <= 1; shift++) {
    uint16_t* out = pack + (shift + 1) * panels * panel;
    for (int64_t row = 0; row < images * s.h; row++) {
      for (int64_t pair = 0; pair < pairs; pair++) {
        const int64_t left = 2 * pair + shift;
        const bool has_left = left >= 0;
        const bool has_right = left + 1 < s.w;
        const uint16_t* a = x + (row * s.w + left) * s.ci;
        uint16_t* to = out + (row * pairs + pair) * kRows * 2;
        for (int64_t c = 0; c < s.ci; c += kRows, to += panel) {
          const __m128i zero = _mm_setzero_si128();
          const __m128i l = has_left ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + c)) : zero;
          const __m128i r = has_right ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(a + s.ci + c)) : zero;
          _mm_store_si128(reinterpret_cast<__m128i*>(to), _mm_unpacklo_epi16(l, r));
          _mm_store_si128(reinterpret_cast<__m128i*>(to + 8), _mm_unpackhi_epi16(l, r));
        }
      }
    }
  }
}

// Pairs of neighbouring pixels, 16 channels a vector, `vectors` of them a panel.
CIFAR10_FAST_TARGET void packGradient(const uint16_t* dy, const Shape& s, int64_t images, int vectors,
                                      uint16_t* pack) {
  const int64_t pairs = images * s.h * s.w / 2;
  const int64_t width = 16 * vectors;
  for (int64_t c = 0; c < s.co; c += width) {
    uint16_t* to = pack + c * pairs * 2;
    for (int64_t pair = 0; pair < pairs; pair++) {
      const uint16_t* a = dy + 2 * pair * s.co + c;
      for (int v = 0; v < vectors; v++, to += 32) {
        const __m512i l = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + 16 * v)));
        const __m512i r =
            _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(a + s.co + 16 * v)));
        _mm512_store_si512(to, _mm512_or_si512(l, _mm512_slli_epi32(r, 16)));
      }
    }
  }
}

// sums[8][stride] += a^T b over `images` runs of `length` pairs, runs `step` pairs apart.
template <int NR>
CIFAR10_FAST_TARGET void tile(const uint16_t* a, const uint16_t* b, int64_t images, int64_t step, int64_t length,
                              float* sums, int64_t stride) {
  __m512 acc[kRows][NR];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < NR; j++) acc[i][j] = _mm512_setzero_ps();
  }
  for (int64_t image = 0; image < images; image++) {
    const uint16_t* p = a + image * step * kRows * 2;
    const uint16_t* q = b + image * step * NR * 32;
    for (int64_t k = 0; k < length; k++, p += kRows * 2, q += NR * 32) {
      __m512bh right[NR];
#pragma GCC unroll 2
      for (int j = 0; j < NR; j++) right[j] = (__m512bh)_mm512_load_si512(q + 32 * j);
#pragma GCC unroll 8
      for (int i = 0; i < kRows; i++) {
        int32_t both;
        std::memcpy(&both, p + 2 * i, sizeof both);
        const __m512bh left = (__m512bh)_mm512_set1_epi32(both);
#pragma GCC unroll 2
        for (int j = 0; j < NR; j++) acc[i][j] = _mm512_dpbf16_ps(acc[i][j], left, right[j]);
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; i++) {
#pragma GCC unroll 2
    for (int j = 0; j < NR; j++) {
      float* to = sums + i * stride + 16 * j;
      _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), acc[i][j]));
    }
  }
}

// Adds the gradient of images [first, last) to `sums` [3,3,Ci,Co].
template <int NR>
void accumulate(const uint16_t* x, const uint16_t* dy, const Shape& s, int64_t first, int64_t last, float* sums) {
  const int64_t pixels = s.h * s.w;
  const int64_t row = s.w / 2;
  // Long enough for the sums to stay in registers, short enough for the packs to stay in the cache.
  const int64_t chunk = std::min<int64_t>(last - first, std::max<int64_t>(1, 1024 / pixels));
  Buffer<uint16_t> left(3 * chunk * pixels * s.ci);
  Buffer<uint16_t> right(chunk * pixels * s.co);
  for (int64_t start = first; start < last; start += chunk) {
    const int64_t images = std::min(chunk, last - start);
    packInput(x + start * pixels * s.ci, s, images, left.get());
    packGradient(dy + start * pixels * s.co, s, images, NR, right.get());
    const int64_t pairs = images * s.h * row;
    const int64_t left_panel = pairs * kRows * 2;
    for (int kh = 0; kh < 3; kh++) {
      const int64_t down = kh - 1;
      const int64_t length = (s.h - std::abs(down)) * row;
      const int64_t skip_x = std::max<int64_t>(0, down) * row;
      const int64_t skip_dy = std::max<int64_t>(0, -down) * row;
      for (int kw = 0; kw < 3; kw++) {
        const uint16_t* shifted = left.get() + kw * (s.ci / kRows) * left_panel + skip_x * kRows * 2;
        float* plane = sums + (kh * 3 + kw) * s.ci * s.co;
        for (int64_t co = 0; co < s.co; co += 16 * NR) {
          const uint16_t* b = right.get() + co * pairs * 2 + skip_dy * NR * 32;
          for (int64_t ci = 0; ci < s.ci; ci += kRows) {
            tile<NR>(shifted + ci / kRows * left_panel, b, images, s.h * row, length, plane + ci * s.co + co, s.co);
          }
        }
      }
    }
  }
}

// As many as TensorFlow was told to use within an operation, else as there are processors. Images are divided among them,
// so the last bits of a sum depend on it.
int64_t threadCount() {
  static const int64_t count = [] {
    const char* told = std::getenv("TF_NUM_INTRAOP_THREADS");
    const int64_t wanted = told == nullptr ? 0 : std::atoll(told);
    return wanted > 0 ? wanted : int64_t{std::thread::hardware_concurrency()};
  }();
  return count;
}

void backpropFilter(const uint16_t* x, const uint16_t* dy, const Shape& s, float* dw) {
  const int64_t size = 9 * s.ci * s.co;
  const int64_t threads = std::max<int64_t>(1, std::min<int64_t>(threadCount(), s.n));
  const auto run = s.co % 32 == 0 ? accumulate<2> : accumulate<1>;
  // Every thread sums over its own images; the first one into the result itself.
  std::vector<std::unique_ptr<Buffer<float>>> partial;
  std::vector<std::thread> workers;
  for (int64_t t = 0; t < threads; t++) {
    float* sums = dw;
    if (t > 0) {
      partial.push_back(std::make_unique<Buffer<float>>(size));
      sums = partial.back()->get();
    }
    const auto work = [=, &s] {
      std::memset(sums, 0, size * sizeof(float));
      run(x, dy, s, s.n * t / threads, s.n * (t + 1) / threads, sums);
    };
    if (t + 1 < threads) {
      workers.emplace_back(work);
    } else {
      work();
    }
  }
  for (std::thread& worker : workers) worker.join();
  for (const auto& sums : partial) {
    for (int64_t i = 0; i < size; i++) dw[i] += sums->get()[i];
  }
}

void* createKernel(TF_OpKernelConstruction*) { return nullptr; }

void destroyKernel(void*) {}

void computeBackpropFilter(void*, TF_OpKernelContext* context) {
  TF_Status* status = TF_NewStatus();
  TF_Tensor* x = nullptr;
  TF_Tensor* dy = nullptr;
  TF_GetInput(context, 0, &x, status);
  if (TF_GetCode(status) == TF_OK) TF_GetInput(context, 1, &dy, status);
  if (TF_GetCode(status) == TF_OK) {
    const Shape s{TF_Dim(x, 0), TF_Dim(x, 1), TF_Dim(x, 2), TF_Dim(x, 3), TF_Dim(dy, 3)};
    const bool fits = TF_NumDims(x) == 4 && TF_NumDims(dy) == 4 && TF_Dim(dy, 0) == s.n && TF_Dim(dy, 1) == s.h &&
                      TF_Dim(dy, 2) == s.w && s.w % 2 == 0 && s.ci % kRows == 0 && s.co % 16 == 0;
    if (!fits) {
      TF_SetStatus(status, TF_INVALID_ARGUMENT,
                   "Cifar10FastConv3x3BackpropFilter: wants [N,H,W,Ci] and [N,H,W,Co], W even, Ci a multiple of 8, "
                   "Co of 16");
    } else {
      const int64_t dims[] = {3, 3, s.ci, s.co};
      TF_Tensor* dw = TF_AllocateOutput(context, 0, TF_FLOAT, dims, 4, 9 * s.ci * s.co * sizeof(float), status);
      if (TF_GetCode(status) == TF_OK) {
        backpropFilter(static_cast<const uint16_t*>(TF_TensorData(x)), static_cast<const uint16_t*>(TF_TensorData(dy)),
                       s, static_cast<float*>(TF_TensorData(dw)));
        TF_DeleteTensor(dw);
      }
    }
  }
  if (TF_GetCode(status) != TF_OK) TF_OpKernelContext_Failure(context, status);
  if (x != nullptr) TF_DeleteTensor(x);
  if (dy != nullptr) TF_DeleteTensor(dy);
  TF_DeleteStatus(status);
}

}  // namespace

bool hasConvKernels() {
  return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

void registerConvKernels() {
  static std::once_flag once;
  std::call_once(once, [] {
    constexpr const char* name = "Cifar10FastConv3x3BackpropFilter";
    TF_Status* status = TF_NewStatus();
    TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(name);
    TF_OpDefinitionBuilderAddInput(op, "x: bfloat16");
    TF_OpDefinitionBuilderAddInput(op, "dy: bfloat16");
    TF_OpDefinitionBuilderAddOutput(op, "dw: float");
    // The engine tells the shape itself.
    TF_OpDefinitionBuilderSetShapeInferenceFunction(op, TF_ShapeInferenceContextSetUnknownShape);
    TF_RegisterOpDefinition(op, status);
    TF_RegisterKernelBuilder(name, TF_NewKernelBuilder(name, "CPU", createKernel, computeBackpropFilter, destroyKernel),
                             status);
    TF_DeleteStatus(status);
  });
}

}  // namespace cifar10_fast
