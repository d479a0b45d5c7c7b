#include "parallel.h"

#include <condition_variable>
#include <deque>
#include <thread>

namespace cifar10_fast {
namespace {

// The tasks of one call.
struct Group {
  const std::function<void(int)>& task;
  int count;
  int next;  // the first task that has not started
  int left;  // tasks that have not ended
};

class Pool {
 public:
  void run(int count, const std::function<void(int)>& task) {
    Group group{task, count, 0, count};
    std::unique_lock<std::mutex> lock(mutex_);
    groups_.push_back(&group);
    for (; workers_ < count - 1; workers_++) std::thread([this] { work(); }).detach();
    for (int i = 1; i < count; i++) waiting_.notify_one();
    while (group.next < count) runNext(group, lock);
    ended_.wait(lock, [&] { return group.left == 0; });
  }

 private:
  void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      waiting_.wait(lock, [this] { return !groups_.empty(); });
      runNext(*groups_.front(), lock);
    }
  }

  void runNext(Group& group, std::unique_lock<std::mutex>& lock) {
    const int t = group.next++;
    if (group.next == group.count) {
      for (auto it = groups_.begin(); it != groups_.end(); it++) {
        if (*it == &group) {
          groups_.erase(it);
          break;
        }
      }
    }
    lock.unlock();
    group.task(t);
    lock.lock();
    if (--group.left == 0) ended_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable waiting_, ended_;
  std::deque<Group*> groups_;  // with tasks that have not started
  int workers_ = 0;
};

}  // namespace

void runTasks(int count, const std::function<void(int)>& task) {
  if (count == 1) return task(0);
  // Never destroyed: its threads wait until the process ends.
  static Pool* const pool = new Pool;
  pool->run(count, task);
}

}  // namespace cifar10_fast
