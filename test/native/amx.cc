// Compares the AMX kernels, on emulated tiles, with those of AVX-512. Prints a line for each shape and pass, which ends with the
// relative root mean square of the difference. Exits with 77 if this processor has no AVX-512 BF16.
#include <cmath>
#include <cstdio>
#include <vector>

#include "parallel.h"
#include "winograd-bf16.h"

using namespace cifar10_fast;

namespace {

uint32_t seed = 1;

float drawn() {
  seed = seed * 1664525u + 1013904223u;
  return static_cast<float>(static_cast<int32_t>(seed) >> 8) / (1 << 22);
}

// Fills with upper halves of floats, which are bfloat16 numbers.
void fill(std::vector<uint16_t>& values) {
  for (uint16_t& value : values) {
    const float number = drawn();
    uint32_t bits;
    std::memcpy(&bits, &number, sizeof bits);
    value = static_cast<uint16_t>(bits >> 16);
  }
}

double number(uint16_t bits) { return emulatedFloat(bits); }
double number(float value) { return value; }

template <typename T>
void compare(const ConvShape& s, int threads, const char* pass, const std::vector<T>& found,
             const std::vector<T>& expected) {
  double difference = 0, whole = 0;
  for (size_t i = 0; i < found.size(); i++) {
    difference += std::pow(number(found[i]) - number(expected[i]), 2);
    whole += std::pow(number(expected[i]), 2);
  }
  std::printf("%ldx%ldx%ld(%ldx%ld) %ld->%ld, %d threads, %s: %g\n", s.n, s.h, s.w, s.oh, s.ow, s.ci, s.co, threads,
              pass, std::sqrt(difference / whole));
}

}  // namespace

int main() {
  if (!hasWinogradBf16()) return 77;
  {
    // Fills the kernels' scratch memory with NaN, so that reads of unwritten memory show.
    const size_t bytes = 64 << 20;
    const Scratch scratch({bytes});
    std::memset(scratch.piece<char>(0), 0xff, bytes);
  }
  const ConvShape shapes[] = {
      {3, 8, 8, 16, 32, 8, 8},    {2, 7, 7, 24, 64, 6, 6},      {3, 5, 5, 8, 40, 5, 5},   {3, 5, 6, 24, 72, 4, 6},
      {130, 3, 3, 24, 32, 3, 3},  {37, 15, 15, 8, 16, 15, 15},  {5, 1, 5, 16, 24, 1, 5},  {70, 4, 4, 32, 48, 4, 4},
      {9, 2, 2, 128, 64, 2, 2},   {2, 31, 31, 24, 64, 30, 30},  {3, 7, 7, 96, 64, 7, 7},  {1, 1, 1, 8, 8, 1, 1},
  };
  for (const ConvShape& s : shapes) {
    for (const int threads : {1, 3}) {
      std::vector<uint16_t> x(s.n * s.h * s.w * s.ci), dy(s.n * s.oh * s.ow * s.co);
      std::vector<float> k(9 * s.ci * s.co);
      fill(x);
      fill(dy);
      for (float& value : k) value = drawn();
      std::vector<uint16_t> y[2] = {dy, dy}, dx[2] = {x, x};
      std::vector<float> dk[2] = {k, k};
      for (const bool has_amx : {false, true}) {
        winogradBf16Forward(x.data(), k.data(), s, has_amx, threads, y[has_amx].data());
        winogradBf16Input(dy.data(), k.data(), s, has_amx, threads, dx[has_amx].data());
        winogradBf16Filter(x.data(), dy.data(), s, has_amx, threads, dk[has_amx].data());
      }
      compare(s, threads, "forward", y[1], y[0]);
      compare(s, threads, "input-gradient", dx[1], dx[0]);
      compare(s, threads, "kernel-gradient", dk[1], dk[0]);
    }
  }
}
