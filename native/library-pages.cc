#include "library-pages.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

namespace cifar10_fast {

void releaseLibraryPages() {
  std::FILE* maps = std::fopen("/proc/self/smaps", "r");
  if (maps == nullptr) return;
  std::vector<std::pair<size_t, size_t>> unwritten;
  std::pair<size_t, size_t> mapping;
  bool isReadOnly = false;
  char line[4096];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    char access[8];
    size_t begin, end, kilobytes;
    if (std::sscanf(line, "%zx-%zx %7s", &begin, &end, access) == 3) {
      mapping = {begin, end};
      isReadOnly = access[1] == '-' && std::strstr(line, "/libtensorflow") != nullptr;
    } else if (isReadOnly && std::sscanf(line, "Anonymous: %zu", &kilobytes) == 1 && kilobytes == 0) {
      // A page that was written, as relocation does before it write-protects one, would be lost.
      unwritten.push_back(mapping);
    }
  }
  std::fclose(maps);
  for (const auto& [from, to] : unwritten) madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
}

}  // namespace cifar10_fast
