// A TensorFlow graph with its session, and a run of it, over TensorFlow's stable C interface.
#pragma once

#include <tensorflow/c/c_api.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace cifar10_fast {

// Throws with a message of our own; the addon's calls turn what is thrown into a JavaScript error.
[[noreturn]] inline void refuse(const std::string& message) { throw std::runtime_error("graph addon: " + message); }

// What a call of TensorFlow came to.
class Status {
 public:
  Status() : status_(TF_NewStatus()) {}
  ~Status() { TF_DeleteStatus(status_); }
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  operator TF_Status*() { return status_; }
  bool isOk() const { return TF_GetCode(status_) == TF_OK; }
  const char* message() const { return TF_Message(status_); }
  // Throws what TensorFlow says.
  void check() const {
    if (!isOk()) throw std::runtime_error(message());
  }

 private:
  TF_Status* status_;
};

// A graph that grows and the session that runs it. Nodes are numbered in the order in which they are added.
struct Graph {
  TF_Graph* graph = nullptr;
  TF_Session* session = nullptr;
  std::vector<TF_Operation*> nodes;

  // `config` is a serialised ConfigProto.
  Graph(const void* config, size_t size);
  ~Graph() { close(); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void close();
  // Throws for a number that no node has.
  TF_Operation* node(int64_t id) const;
};

// One run of a session: what it is fed and asked for, and what came of it. It owns all tensors.
struct Run {
  TF_Session* session = nullptr;
  std::vector<TF_Output> inputs;
  std::vector<TF_Tensor*> values;
  std::vector<TF_Output> fetches;
  std::vector<TF_Tensor*> results;
  std::vector<const TF_Operation*> targets;
  TF_Buffer* metadata = nullptr;  // of a timed run: a serialised RunMetadata

  explicit Run(TF_Session* session) : session(session) {}
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  // Has TensorFlow measure every operation.
  void time() { metadata = TF_NewBuffer(); }
  // Throws what TensorFlow says. Does not touch JavaScript: any thread may call it.
  void execute();
};

}  // namespace cifar10_fast
