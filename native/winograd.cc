#include "winograd.h"

namespace cifar10_fast {

extern const WinogradPasses kWinogradAvx2, kWinogradAvx512;

const WinogradPasses* winogradFloat() {
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (has_avx512) return &kWinogradAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &kWinogradAvx2;
  return nullptr;
}

}  // namespace cifar10_fast
