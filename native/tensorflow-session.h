// A TensorFlow graph with its session, and a run of it, over TensorFlow's stable C interface.
#pragma once

#include <tensorflow/c/c_api.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace cifar10_fast {

// Throws with a message of our own; the addon's calls turn exceptions into JavaScript errors.
[[noreturn]] inline void refuse(const std::string& message) { throw std::runtime_error("graph addon: " + message); }

// The status of a call of TensorFlow.
class Status {
 public:
  Status() : status_(TF_NewStatus()) {}
  ~Status() { TF_DeleteStatus(status_); }
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  operator TF_Status*() { return status_; }
  bool isOk() const { return TF_GetCode(status_) == TF_OK; }
  const char* message() const { return TF_Message(status_); }
  // Throws TensorFlow's message if the call failed.
  void check() const {
    if (!isOk()) throw std::runtime_error(message());
  }

 private:
  TF_Status* status_;
};

// A growing graph and the session that runs it. Nodes are numbered in the order in which they are added.
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
  // Throws if there is no node of this number.
  TF_Operation* node(int64_t id) const;
};

// One run of a session: its feeds, fetches, targets and results. It owns all tensors.
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
  // Makes TensorFlow time every operation.
  void time() { metadata = TF_NewBuffer(); }
  // Throws TensorFlow's message if the run fails. Does not touch JavaScript, so any thread may call it.
  void execute();
};

}  // namespace cifar10_fast
