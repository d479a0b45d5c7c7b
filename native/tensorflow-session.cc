#include "tensorflow-session.h"

namespace cifar10_fast {

Graph::Graph(const void* config, size_t size) {
  Status status;
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_SetConfig(options, config, size, status);
  if (status.isOk()) {
    graph = TF_NewGraph();
    session = TF_NewSession(graph, options, status);
  }
  TF_DeleteSessionOptions(options);
  if (!status.isOk()) close();
  status.check();
}

void Graph::close() {
  if (session != nullptr) {
    Status status;
    TF_CloseSession(session, status);
    TF_DeleteSession(session, status);
  }
  if (graph != nullptr) TF_DeleteGraph(graph);
  session = nullptr;
  graph = nullptr;
  nodes.clear();
}

TF_Operation* Graph::node(int64_t id) const {
  if (id < 0 || id >= static_cast<int64_t>(nodes.size())) refuse("there is no node " + std::to_string(id));
  return nodes[id];
}

Run::~Run() {
  if (metadata != nullptr) TF_DeleteBuffer(metadata);
  for (TF_Tensor* value : values) TF_DeleteTensor(value);
  for (TF_Tensor* result : results) {
    if (result != nullptr) TF_DeleteTensor(result);
  }
}

void Run::execute() {
  Status status;
  results.resize(fetches.size(), nullptr);
  // A serialised RunOptions, trace_level: FULL_TRACE.
  static const char trace[] = {1 << 3, 3};
  TF_Buffer* options = metadata == nullptr ? nullptr : TF_NewBufferFromString(trace, sizeof trace);
  TF_SessionRun(session, options, inputs.data(), values.data(), static_cast<int>(inputs.size()), fetches.data(),
                results.data(), static_cast<int>(fetches.size()), targets.data(), static_cast<int>(targets.size()),
                metadata, status);
  if (options != nullptr) TF_DeleteBuffer(options);
  status.check();
}

}  // namespace cifar10_fast
