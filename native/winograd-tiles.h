// How winograd.h divides the outputs of images into tiles.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "conv-shape.h"

namespace cifar10_fast {

// A tile of outputs: its image, and where in it it begins.
struct WinogradTile {
  int64_t image, top, left;
};

// Outputs of every image that are computed in tiles of rows x columns; the last ones may reach over the edge.
struct WinogradRegion {
  int rows, columns;     // of a tile
  int64_t top, left;     // of the region
  int64_t down, across;  // tiles
  int64_t tiles() const { return down * across; }
  WinogradTile at(int64_t tile) const {
    return {tile / tiles(), top + tile / across % down * rows, left + tile % across * columns};
  }
};

// Part of an axis, in tiles of one size.
struct WinogradStretch {
  int size;
  int64_t start, tiles;
};

// Tiles of 4, and what they leave over in one of 2 or 3: it takes fewer products than another of 4 over the edge.
inline std::vector<WinogradStretch> winogradStretches(int64_t outputs, int tile) {
  if (tile == 2) return {{2, 0, (outputs + 1) / 2}};
  if (outputs == 5) return {{3, 0, 1}, {2, 3, 1}};
  std::vector<WinogradStretch> found;
  if (outputs >= 4) found.push_back({4, 0, outputs / 4});
  const int rest = static_cast<int>(outputs % 4);
  if (rest > 0) found.push_back({std::max(2, rest), outputs - rest, 1});
  return found;
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

// Calls run with `size` as a constant of the compiler.
template <typename Run>
void withSize(int size, const Run& run) {
  if (size == 2) return run(std::integral_constant<int, 2>{});
  if (size == 3) return run(std::integral_constant<int, 3>{});
  run(std::integral_constant<int, 4>{});
}

// Calls run(rows, columns) with the size of a region's tiles, as constants of the compiler.
template <typename Run>
void withTile(const WinogradRegion& region, const Run& run) {
  withSize(region.rows, [&](auto rows) { withSize(region.columns, [&](auto columns) { run(rows, columns); }); });
}

}  // namespace cifar10_fast
