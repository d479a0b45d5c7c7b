// Memory and threads of the kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <new>
#include <vector>

namespace cifar10_fast {

// Working memory of a kernel. It is kept for the next one, as fresh pages cost as much as a transform. Pieces start at a
// cache line and are not initialised.
//
// Concurrent kernels have separate memory. Letting them wait for each other instead made the steps of ResNet-9 5 to 25 %
// slower, as a waiting kernel keeps TensorFlow from running a smaller operation in the meantime.
class Scratch {
 public:
  // Provides pieces of `sizes` bytes. Throws std::bad_alloc if there is not that much memory.
  explicit Scratch(const std::vector<size_t>& sizes) {
    size_t total = 0;
    for (size_t size : sizes) {
      starts_.push_back(total);
      // One extra line, so that pieces whose size is a power of two do not map to the same sets of the cache.
      total += (size + 63) / 64 * 64 + 64;
    }
    {
      const std::lock_guard<std::mutex> lock(mutex());
      // The smallest that is large enough; else the largest, which is replaced.
      auto best = idle().begin();
      for (auto it = idle().begin(); it != idle().end(); it++) {
        const bool fits = it->size >= total, best_fits = best->size >= total;
        if (fits == best_fits ? (it->size < best->size) == fits : fits) best = it;
      }
      if (best != idle().end()) {
        memory_ = *best;
        idle().erase(best);
      }
    }
    if (total > memory_.size) {
      std::free(memory_.data);
      memory_ = {static_cast<char*>(std::aligned_alloc(64, total)), total};
      if (memory_.data == nullptr) throw std::bad_alloc();
    }
  }
  ~Scratch() {
    const std::lock_guard<std::mutex> lock(mutex());
    idle().push_back(memory_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <typename T>
  T* piece(size_t index) const {
    return reinterpret_cast<T*>(memory_.data + starts_[index]);
  }

 private:
  struct Memory {
    char* data = nullptr;
    size_t size = 0;
  };
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
  static std::vector<Memory>& idle() {
    static std::vector<Memory> all;
    return all;
  }
  Memory memory_;
  std::vector<size_t> starts_;
};

// Runs task(0) to task(count - 1), each once, on a pool of threads and on the calling thread, and returns when all have
// ended. Calls may overlap: their tasks share the pool.
void runTasks(int count, const std::function<void(int)>& task);

// Runs work(thread, first, last) for each of `threads` parts of [0, count).
template <typename Work>
void parallel(int threads, int64_t count, const Work& work) {
  runTasks(threads, [&](int t) { work(t, count * t / threads, count * (t + 1) / threads); });
}

}  // namespace cifar10_fast
