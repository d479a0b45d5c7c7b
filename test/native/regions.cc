// For every padded shape that the bf16 kernels accept, compares the taps that the last output of an odd number reads with
// those that lie on the image. Prints a line for each shape: its extents, whether it is accepted, and the taps that are missing.
#include <cstdio>

#include "winograd-bf16-regions.h"
#include "winograd-bf16.h"

using namespace cifar10_fast;
using namespace cifar10_fast::winograd_bf16;

namespace {

// Taps on the image of the single output at the end, less those that it reads; 0 if there is no such output.
int missing(int64_t outputs, int64_t extent) {
  const Axis axis(outputs, extent);
  if (axis.taps == 0) return 0;
  int taps = 0;
  for (int64_t pixel = outputs - 2; pixel <= outputs; pixel++) taps += pixel >= 0 && pixel < extent;
  // The first of the two taps may lie before the image.
  return outputs == 1 ? taps - axis.taps + 1 : taps - axis.taps;
}

}  // namespace

int main() {
  for (int64_t h = 2; h <= 9; h++) {
    for (int64_t oh = h - 1; oh <= h; oh++) {
      const ConvShape tall{1, h, 8, 8, 8, oh, 8}, wide{1, 8, h, 8, 8, 8, oh};
      std::printf("%ld->%ld %d%d forward %d gradient %d\n", h, oh, fitsWinogradBf16(tall), fitsWinogradBf16(wide),
                  missing(oh, h), missing(h, oh));
    }
  }
}
