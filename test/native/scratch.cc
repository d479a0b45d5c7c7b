// Asks for more working memory than there is, then for some that there is. Prints a line for each.
#include <cstdio>
#include <new>

#include "parallel.h"

using cifar10_fast::Scratch;

int main() {
  try {
    const Scratch scratch({size_t{1} << 50});
    std::puts(scratch.piece<char>(0) == nullptr ? "null" : "memory");
  } catch (const std::bad_alloc&) {
    std::puts("out of memory");
  }
  const Scratch scratch({64});
  scratch.piece<char>(0)[63] = 1;
  std::puts("memory");
}
