// The passes of winograd.h, included once per instruction set, in a namespace of its own that defines:
//
//   CIFAR10_FAST_TARGET    the attribute that lets a function use the instructions
//   Vec, kWidth            a vector of floats and how many it holds
//   kTiles, kRows          tiles and input channels that a product holds in registers, for two vectors of output channels
//   zero, set, add, sub, mul, mulAdd(a, b, c) = a * b + c, load(const float*), store(float*, Vec)
//   spread(const float*)   a vector with one number in all lanes
//
// Every product is an outer product of a column and a row, summed in registers:
//
//   forward        m[position][tile][co] = sum over ci of v[position][tile][ci] u[position][ci][co]
//   filter         s[position][ci][co]   = sum over tiles of v[position][tile][ci] g[position][tile][co]
//
// where u, v, g are the kernel, the input and the gradient, transformed.

#include "winograd-transforms.h"
#include "winograd-transform-7.h"
#include "winograd-tile-transforms.h"

// Rounds up to an odd number of cache lines: data at this distance is spread over all sets of the cache. At a power of two it
// falls into few sets, and the data that a transform writes to 64 places evicts itself.
inline int64_t oddLines(int64_t numbers) { return ((numbers + 15) / 16 | 1) * 16; }

// Pixels of an image, row by row from (top, left).
struct Window {
  int64_t top, left;
  int height, width;
};

// The pixels of a window of a channels-last image of `extents`; those off the image are `nothing`.
template <typename Number>
CIFAR10_FAST_TARGET inline void findPixels(Number* image, const Extents& extents, int64_t channels, const Window& window,
                                           Number* nothing, Number** at) {
  for (int i = 0; i < window.height; i++) {
    for (int j = 0; j < window.width; j++) {
      const int64_t row = window.top + i, column = window.left + j;
      const bool is_inside = row >= 0 && row < extents.h && column >= 0 && column < extents.w;
      at[i * window.width + j] = is_inside ? image + (row * extents.w + column) * channels : nothing;
    }
  }
}

#include "winograd-convolve-passes.h"
#include "winograd-filter-passes.h"

inline constexpr WinogradPasses passes{forward, backpropInput, backpropFilter, kWidth};
