// How winograd.h divides the outputs of images into tiles.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "conv-shape.h"

namespace cifar10_fast {

// A tile of outputs: its image, and its top left corner there.
struct WinogradTile {
  int64_t image, top, left;
};

// Outputs of every image that are computed in tiles of rows x columns; the last tiles may extend past the edge.
struct WinogradRegion {
  int rows, columns;     // of a tile
  int64_t top, left;     // of the region
  int64_t down, across;  // tiles
  int64_t tiles() const { return down * across; }
  int products() const { return (rows + 2) * (columns + 2); }  // of a tile, for each pair of channels
  WinogradTile at(int64_t tile) const {
    return {tile / tiles(), top + tile / across % down * rows, left + tile % across * columns};
  }
};

// Part of an axis, in tiles of one size.
struct WinogradStretch {
  int size;
  int64_t start, tiles;
};

// The stretches that take the fewest products along an axis, with tiles of 2, 3, 4, 6 and 7 up to `tile`. The last tile may
// extend past the edge if that takes fewer products than tiles that fit.
inline std::vector<WinogradStretch> winogradStretches(int64_t outputs, int tile) {
  const auto products = [](const std::vector<WinogradStretch>& stretches) {
    int64_t sum = 0;
    for (const auto& stretch : stretches) sum += (stretch.size + 2) * stretch.tiles;
    return sum;
  };
  std::vector<WinogradStretch> best;
  // Larger tiles first: as many as fit, one fewer, or one more, past the edge.
  const auto search = [&](auto&& self, std::vector<WinogradStretch> found, int64_t start, int largest) -> void {
    if (start >= outputs) {
      if (best.empty() || products(found) < products(best)) best = found;
      return;
    }
    for (int size : {7, 6, 4, 3, 2}) {
      if (size > largest) continue;
      const int64_t left = outputs - start;
      for (int64_t tiles = (left + size - 1) / size; tiles >= std::max<int64_t>(1, left / size - 1); tiles--) {
        auto longer = found;
        longer.push_back({size, start, tiles});
        if (best.empty() || products(longer) < products(best)) self(self, longer, start + size * tiles, size - 1);
      }
    }
  };
  search(search, {}, 0, tile);
  return best;
}

inline std::vector<WinogradRegion> winogradRegions(const Extents& outputs, int tile) {
  std::vector<WinogradRegion> regions;
  for (const auto& rows : winogradStretches(outputs.h, tile)) {
    for (const auto& columns : winogradStretches(outputs.w, tile)) {
      regions.push_back({rows.size, columns.size, rows.start, columns.start, rows.tiles, columns.tiles});
    }
  }
  return regions;
}

// Products of an image, for each pair of channels.
inline int64_t winogradProducts(const std::vector<WinogradRegion>& regions) {
  int64_t sum = 0;
  for (const auto& region : regions) sum += region.tiles() * region.products();
  return sum;
}

// Calls run with `size` as a compile-time constant.
template <typename Run>
void withSize(int size, const Run& run) {
  if (size == 2) return run(std::integral_constant<int, 2>{});
  if (size == 3) return run(std::integral_constant<int, 3>{});
  if (size == 4) return run(std::integral_constant<int, 4>{});
  if (size == 6) return run(std::integral_constant<int, 6>{});
  run(std::integral_constant<int, 7>{});
}

}  // namespace cifar10_fast
