// TensorFlow's graph and session, as far as the capture engine needs them, over its stable C interface.
//
//   create(config)                                   a graph with a session; config is a serialised ConfigProto
//   addNode(graph, op, name, inputs, attributes, controls) -> { id, outputs: [{ dtype, shape }] }
//                                                    an input is an output, or a list of outputs
//   run(graph, feeds, fetches, targets, isTimed) -> Promise<[{ dtype, shape, data }]>
//                                                    a timed one has a property `metadata`, a serialised RunMetadata
//   runSync(graph, feeds, fetches, targets) -> [{ dtype, shape, data }]
//                                                    the same on the thread of JavaScript, for short measurements
//   addFunction(graph, body, name, inputs, outputs)  makes a function of a graph of its own and gives it to another one;
//                                                    inputs and outputs are outputs of nodes of `body`
//   setShape(graph, output, shape)                   for outputs of operations without shape inference
//   convAlgorithms(pass, isBfloat16, shape)          names of the algorithms that conv.cc's operations have for a pass (0: forward,
//                                                    1: input's gradient, 2: kernel's) of a shape [N, H, W, Ci, Co, OH, OW]
//   amx()                                            whether AMX tiles are 'missing', 'refused' or 'usable'
//   close(graph)
//
// A node is named by its id, an output by [id, index]. TensorFlow infers types and shapes as nodes are added; an extent
// that it does not know is -1, a shape that it does not know is null. Runs leave the thread of JavaScript: the session
// works on one of libuv's. One run at a time for each graph, and no node is added meanwhile: the caller sees to that.
#include <node_api.h>
#include <tensorflow/c/c_api.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "amx.h"
#include "conv.h"
#include "elementwise.h"

namespace {

struct Graph {
  TF_Graph* graph = nullptr;
  TF_Session* session = nullptr;
  std::vector<TF_Operation*> nodes;
};

// Thrown inside this file only; every entry point turns it into a JavaScript error.
struct Failure {
  std::string message;
};

void check(napi_status status, const char* what) {
  if (status != napi_ok) throw Failure{std::string("graph addon: ") + what + " is not what was expected"};
}

class Status {
 public:
  Status() : status_(TF_NewStatus()) {}
  ~Status() { TF_DeleteStatus(status_); }
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  operator TF_Status*() { return status_; }
  void check() const {
    if (TF_GetCode(status_) != TF_OK) throw Failure{TF_Message(status_)};
  }

 private:
  TF_Status* status_;
};

void dispose(Graph& graph) {
  TF_Status* status = TF_NewStatus();
  if (graph.session != nullptr) {
    TF_CloseSession(graph.session, status);
    TF_DeleteSession(graph.session, status);
  }
  if (graph.graph != nullptr) TF_DeleteGraph(graph.graph);
  TF_DeleteStatus(status);
  graph.session = nullptr;
  graph.graph = nullptr;
  graph.nodes.clear();
}

napi_value element(napi_env env, napi_value array, uint32_t index) {
  napi_value value;
  check(napi_get_element(env, array, index, &value), "an element");
  return value;
}

uint32_t length(napi_env env, napi_value array) {
  uint32_t count;
  check(napi_get_array_length(env, array, &count), "a list");
  return count;
}

napi_value property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  check(napi_get_named_property(env, object, name, &value), name);
  return value;
}

std::string text(napi_env env, napi_value value) {
  size_t size;
  check(napi_get_value_string_utf8(env, value, nullptr, 0, &size), "a text");
  std::string result(size, '\0');
  check(napi_get_value_string_utf8(env, value, result.data(), size + 1, &size), "a text");
  return result;
}

int64_t whole(napi_env env, napi_value value) {
  int64_t result;
  check(napi_get_value_int64(env, value, &result), "a whole number");
  return result;
}

double number(napi_env env, napi_value value) {
  double result;
  check(napi_get_value_double(env, value, &result), "a number");
  return result;
}

bool truth(napi_env env, napi_value value) {
  napi_valuetype type;
  check(napi_typeof(env, value, &type), "a truth value");
  if (type == napi_number) return number(env, value) != 0;
  bool result;
  check(napi_get_value_bool(env, value, &result), "a truth value");
  return result;
}

std::vector<int64_t> wholes(napi_env env, napi_value array) {
  std::vector<int64_t> result(length(env, array));
  for (uint32_t i = 0; i < result.size(); i++) result[i] = whole(env, element(env, array, i));
  return result;
}

struct Bytes {
  const void* data;
  size_t size;
};

Bytes bytes(napi_env env, napi_value value) {
  bool is_typed_array;
  check(napi_is_typedarray(env, value, &is_typed_array), "a typed array");
  if (!is_typed_array) throw Failure{"graph addon: data is no typed array"};
  napi_typedarray_type type;
  size_t count;
  void* data;
  check(napi_get_typedarray_info(env, value, &type, &count, &data, nullptr, nullptr), "a typed array");
  size_t width = 1;
  switch (type) {
    case napi_int16_array:
    case napi_uint16_array:
      width = 2;
      break;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array:
      width = 4;
      break;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array:
      width = 8;
      break;
    default:
      break;
  }
  return {data, count * width};
}

// { dtype, shape, data } as a tensor of TensorFlow's own memory.
TF_Tensor* tensor(napi_env env, napi_value value) {
  const auto dtype = static_cast<TF_DataType>(whole(env, property(env, value, "dtype")));
  const std::vector<int64_t> shape = wholes(env, property(env, value, "shape"));
  const Bytes source = bytes(env, property(env, value, "data"));
  size_t size = TF_DataTypeSize(dtype);
  for (int64_t extent : shape) size *= static_cast<size_t>(extent);
  if (size != source.size) {
    throw Failure{"graph addon: a tensor of " + std::to_string(size) + " bytes was given " +
                  std::to_string(source.size)};
  }
  TF_Tensor* result = TF_AllocateTensor(dtype, shape.data(), static_cast<int>(shape.size()), size);
  std::memcpy(TF_TensorData(result), source.data, size);
  return result;
}

napi_value shapeValue(napi_env env, const std::vector<int64_t>& shape) {
  napi_value result;
  napi_create_array_with_length(env, shape.size(), &result);
  for (uint32_t i = 0; i < shape.size(); i++) {
    napi_value extent;
    napi_create_int64(env, shape[i], &extent);
    napi_set_element(env, result, i, extent);
  }
  return result;
}

void setInt(napi_env env, napi_value object, const char* name, int64_t value) {
  napi_value wrapped;
  napi_create_int64(env, value, &wrapped);
  napi_set_named_property(env, object, name, wrapped);
}

Graph& graphOf(napi_env env, napi_value value) {
  void* data;
  check(napi_get_value_external(env, value, &data), "a graph");
  Graph& graph = *static_cast<Graph*>(data);
  if (graph.session == nullptr) throw Failure{"graph addon: the graph is closed"};
  return graph;
}

TF_Operation* nodeOf(const Graph& graph, int64_t id) {
  if (id < 0 || id >= static_cast<int64_t>(graph.nodes.size())) {
    throw Failure{"graph addon: there is no node " + std::to_string(id)};
  }
  return graph.nodes[id];
}

TF_Output outputOf(napi_env env, const Graph& graph, napi_value pair) {
  return {nodeOf(graph, whole(env, element(env, pair, 0))),
          static_cast<int>(whole(env, element(env, pair, 1)))};
}

struct Input {
  bool is_list;
  std::vector<TF_Output> outputs;
};

// [id, index], or a list of such pairs for an input that takes any number of values.
Input inputOf(napi_env env, const Graph& graph, napi_value value) {
  bool is_list = length(env, value) == 0;
  if (!is_list) check(napi_is_array(env, element(env, value, 0), &is_list), "an input");
  if (!is_list) return {false, {outputOf(env, graph, value)}};
  std::vector<TF_Output> outputs(length(env, value));
  for (uint32_t i = 0; i < outputs.size(); i++) outputs[i] = outputOf(env, graph, element(env, value, i));
  return {true, outputs};
}

// An attribute in the form that TF.js gives it: { name, type, value }, type being a TF_AttrType.
void setAttribute(napi_env env, TF_OperationDescription* node, napi_value attribute) {
  const std::string name = text(env, property(env, attribute, "name"));
  const auto type = static_cast<TF_AttrType>(whole(env, property(env, attribute, "type")));
  napi_value value = property(env, attribute, "value");
  bool is_list;
  check(napi_is_array(env, value, &is_list), "an attribute");
  switch (type) {
    case TF_ATTR_STRING: {
      const std::string given = text(env, value);
      TF_SetAttrString(node, name.c_str(), given.data(), given.size());
      return;
    }
    case TF_ATTR_INT:
      if (is_list) {
        const std::vector<int64_t> given = wholes(env, value);
        TF_SetAttrIntList(node, name.c_str(), given.data(), static_cast<int>(given.size()));
      } else {
        TF_SetAttrInt(node, name.c_str(), whole(env, value));
      }
      return;
    case TF_ATTR_FLOAT:
      TF_SetAttrFloat(node, name.c_str(), static_cast<float>(number(env, value)));
      return;
    case TF_ATTR_BOOL:
      TF_SetAttrBool(node, name.c_str(), truth(env, value));
      return;
    case TF_ATTR_TYPE:
      if (is_list) {
        std::vector<TF_DataType> given;
        for (int64_t type : wholes(env, value)) given.push_back(static_cast<TF_DataType>(type));
        TF_SetAttrTypeList(node, name.c_str(), given.data(), static_cast<int>(given.size()));
      } else {
        TF_SetAttrType(node, name.c_str(), static_cast<TF_DataType>(whole(env, value)));
      }
      return;
    case TF_ATTR_FUNC: {
      const std::string given = text(env, value);
      TF_SetAttrFuncName(node, name.c_str(), given.data(), given.size());
      return;
    }
    case TF_ATTR_SHAPE: {
      const std::vector<int64_t> given = wholes(env, value);
      TF_SetAttrShape(node, name.c_str(), given.data(), static_cast<int>(given.size()));
      return;
    }
    case TF_ATTR_TENSOR: {
      TF_Tensor* given = tensor(env, value);
      Status status;
      TF_SetAttrTensor(node, name.c_str(), given, status);
      TF_DeleteTensor(given);
      status.check();
      return;
    }
    default:
      throw Failure{"graph addon: attribute " + name + " has a type that is not supported"};
  }
}

template <size_t N>
void arguments(napi_env env, napi_callback_info info, napi_value (&values)[N]) {
  size_t count = N;
  check(napi_get_cb_info(env, info, &count, values, nullptr, nullptr), "the call");
  if (count < N) throw Failure{"graph addon: too few arguments"};
}

// Runs the body of an entry point and turns a Failure into a JavaScript error.
template <typename Body>
napi_value entry(napi_env env, Body body) {
  try {
    return body();
  } catch (const Failure& failure) {
    napi_throw_error(env, nullptr, failure.message.c_str());
    return nullptr;
  }
}

napi_value create(napi_env env, napi_callback_info info) {
  return entry(env, [&] {
    napi_value args[1];
    arguments(env, info, args);
    const Bytes config = bytes(env, args[0]);
    Status status;
    TF_SessionOptions* options = TF_NewSessionOptions();
    TF_SetConfig(options, config.data, config.size, status);
    auto* graph = new Graph;
    if (TF_GetCode(status) == TF_OK) {
      graph->graph = TF_NewGraph();
      graph->session = TF_NewSession(graph->graph, options, status);
    }
    TF_DeleteSessionOptions(options);
    if (TF_GetCode(status) != TF_OK) {
      dispose(*graph);
      delete graph;
    }
    status.check();
    napi_value result;
    check(napi_create_external(
              env, graph,
              [](napi_env, void* data, void*) {
                dispose(*static_cast<Graph*>(data));
                delete static_cast<Graph*>(data);
              },
              nullptr, &result),
          "the graph");
    return result;
  });
}

napi_value addNode(napi_env env, napi_callback_info info) {
  return entry(env, [&] {
    napi_value args[6];
    arguments(env, info, args);
    Graph& graph = graphOf(env, args[0]);
    const std::string op = text(env, args[1]);
    const std::string name = text(env, args[2]);
    // What can throw is read before the description exists, which only TF_FinishOperation frees.
    std::vector<Input> inputs(length(env, args[3]));
    for (uint32_t i = 0; i < inputs.size(); i++) inputs[i] = inputOf(env, graph, element(env, args[3], i));
    const std::vector<int64_t> controls = wholes(env, args[5]);
    const uint32_t attributes = length(env, args[4]);

    TF_OperationDescription* description = TF_NewOperation(graph.graph, op.c_str(), name.c_str());
    for (const Input& input : inputs) {
      if (input.is_list) {
        TF_AddInputList(description, input.outputs.data(), static_cast<int>(input.outputs.size()));
      } else {
        TF_AddInput(description, input.outputs[0]);
      }
    }
    for (int64_t id : controls) TF_AddControlInput(description, nodeOf(graph, id));
    for (uint32_t i = 0; i < attributes; i++) setAttribute(env, description, element(env, args[4], i));
    Status status;
    TF_Operation* node = TF_FinishOperation(description, status);
    status.check();
    graph.nodes.push_back(node);

    napi_value result;
    napi_value outputs;
    napi_create_object(env, &result);
    const int count = TF_OperationNumOutputs(node);
    napi_create_array_with_length(env, count, &outputs);
    for (int i = 0; i < count; i++) {
      const TF_Output output{node, i};
      napi_value described;
      napi_value shape;
      napi_create_object(env, &described);
      setInt(env, described, "dtype", TF_OperationOutputType(output));
      const int rank = TF_GraphGetTensorNumDims(graph.graph, output, status);
      status.check();
      if (rank < 0) {
        napi_get_null(env, &shape);
      } else {
        std::vector<int64_t> extents(rank);
        TF_GraphGetTensorShape(graph.graph, output, extents.data(), rank, status);
        status.check();
        shape = shapeValue(env, extents);
      }
      napi_set_named_property(env, described, "shape", shape);
      napi_set_element(env, outputs, i, described);
    }
    setInt(env, result, "id", static_cast<int64_t>(graph.nodes.size()) - 1);
    napi_set_named_property(env, result, "outputs", outputs);
    return result;
  });
}

std::vector<TF_Output> outputsOf(napi_env env, const Graph& graph, napi_value pairs) {
  std::vector<TF_Output> outputs(length(env, pairs));
  for (uint32_t i = 0; i < outputs.size(); i++) outputs[i] = outputOf(env, graph, element(env, pairs, i));
  return outputs;
}

// A copy of all nodes of `body` becomes a function, which nodes of `graph` call by its name.
napi_value addFunction(napi_env env, napi_callback_info info) {
  return entry(env, [&]() -> napi_value {
    napi_value args[5];
    arguments(env, info, args);
    Graph& graph = graphOf(env, args[0]);
    Graph& body = graphOf(env, args[1]);
    const std::string name = text(env, args[2]);
    const std::vector<TF_Output> inputs = outputsOf(env, body, args[3]);
    const std::vector<TF_Output> outputs = outputsOf(env, body, args[4]);
    Status status;
    TF_Function* made = TF_GraphToFunction(body.graph, name.c_str(), 0, -1, nullptr, static_cast<int>(inputs.size()),
                                           inputs.data(), static_cast<int>(outputs.size()), outputs.data(), nullptr,
                                           nullptr, nullptr, status);
    status.check();
    TF_GraphCopyFunction(graph.graph, made, nullptr, status);
    TF_DeleteFunction(made);
    status.check();
    return nullptr;
  });
}

// Tells TensorFlow the shape of an output that it cannot infer, as of our own operations.
napi_value setShape(napi_env env, napi_callback_info info) {
  return entry(env, [&]() -> napi_value {
    napi_value args[3];
    arguments(env, info, args);
    Graph& graph = graphOf(env, args[0]);
    const std::vector<int64_t> shape = wholes(env, args[2]);
    Status status;
    TF_GraphSetTensorShape(graph.graph, outputOf(env, graph, args[1]), shape.data(), static_cast<int>(shape.size()),
                           status);
    status.check();
    return nullptr;
  });
}

napi_value amx(napi_env env, napi_callback_info) {
  const char* const names[] = {"missing", "refused", "usable"};
  napi_value name;
  napi_create_string_utf8(env, names[static_cast<int>(cifar10_fast::amxState())], NAPI_AUTO_LENGTH, &name);
  return name;
}

napi_value convAlgorithms(napi_env env, napi_callback_info info) {
  return entry(env, [&]() -> napi_value {
    napi_value args[3];
    arguments(env, info, args);
    const auto pass = static_cast<cifar10_fast::Pass>(whole(env, args[0]));
    const std::vector<int64_t> v = wholes(env, args[2]);
    if (v.size() != 7) throw Failure{"graph addon: a convolution has 7 extents, not " + std::to_string(v.size())};
    const auto names = cifar10_fast::convAlgorithms(pass, truth(env, args[1]), {v[0], v[1], v[2], v[3], v[4], v[5], v[6]});
    napi_value result;
    napi_create_array_with_length(env, names.size(), &result);
    for (uint32_t i = 0; i < names.size(); i++) {
      napi_value name;
      napi_create_string_utf8(env, names[i].c_str(), NAPI_AUTO_LENGTH, &name);
      napi_set_element(env, result, i, name);
    }
    return result;
  });
}

napi_value hasElementwise(napi_env env, napi_callback_info) {
  napi_value result;
  napi_get_boolean(env, cifar10_fast::elementwiseFloat() != nullptr, &result);
  return result;
}

struct Work {
  napi_async_work handle = nullptr;
  napi_deferred deferred = nullptr;
  napi_ref keep = nullptr;  // the graph, so that it outlives the run
  TF_Session* session = nullptr;
  std::vector<TF_Output> inputs;
  std::vector<TF_Tensor*> values;
  std::vector<TF_Output> fetches;
  std::vector<TF_Tensor*> results;
  std::vector<const TF_Operation*> targets;
  TF_Buffer* metadata = nullptr;  // where a run that is timed leaves what it measured
  std::string error;

  ~Work() {
    if (metadata != nullptr) TF_DeleteBuffer(metadata);
    for (TF_Tensor* value : values) TF_DeleteTensor(value);
    for (TF_Tensor* result : results) {
      if (result != nullptr) TF_DeleteTensor(result);
    }
  }
};

void execute(napi_env, void* data) {
  Work& work = *static_cast<Work*>(data);
  TF_Status* status = TF_NewStatus();
  work.results.resize(work.fetches.size(), nullptr);
  // A serialised RunOptions, trace_level: FULL_TRACE.
  static const char trace[] = {1 << 3, 3};
  TF_Buffer* options = work.metadata == nullptr ? nullptr : TF_NewBufferFromString(trace, sizeof trace);
  TF_SessionRun(work.session, options, work.inputs.data(), work.values.data(),
                static_cast<int>(work.inputs.size()), work.fetches.data(), work.results.data(),
                static_cast<int>(work.fetches.size()), work.targets.data(),
                static_cast<int>(work.targets.size()), work.metadata, status);
  if (options != nullptr) TF_DeleteBuffer(options);
  if (TF_GetCode(status) != TF_OK) work.error = TF_Message(status);
  TF_DeleteStatus(status);
}

// The results of a run as an array of { dtype, shape, data }; of one that is timed, with a property `metadata`.
napi_value resultsOf(napi_env env, const Work& work) {
  napi_value results;
  napi_create_array_with_length(env, work.results.size(), &results);
  for (uint32_t i = 0; i < work.results.size(); i++) {
    TF_Tensor* tensor = work.results[i];
    std::vector<int64_t> shape(TF_NumDims(tensor));
    for (size_t axis = 0; axis < shape.size(); axis++) shape[axis] = TF_Dim(tensor, static_cast<int>(axis));
    void* copy;
    napi_value buffer;
    napi_value result;
    napi_create_arraybuffer(env, TF_TensorByteSize(tensor), &copy, &buffer);
    std::memcpy(copy, TF_TensorData(tensor), TF_TensorByteSize(tensor));
    napi_create_object(env, &result);
    setInt(env, result, "dtype", TF_TensorType(tensor));
    napi_set_named_property(env, result, "shape", shapeValue(env, shape));
    napi_set_named_property(env, result, "data", buffer);
    napi_set_element(env, results, i, result);
  }
  if (work.metadata != nullptr) {
    void* copy;
    napi_value buffer;
    napi_create_arraybuffer(env, work.metadata->length, &copy, &buffer);
    if (work.metadata->length > 0) std::memcpy(copy, work.metadata->data, work.metadata->length);
    napi_set_named_property(env, results, "metadata", buffer);
  }
  return results;
}

void complete(napi_env env, napi_status, void* data) {
  Work* work = static_cast<Work*>(data);
  if (!work->error.empty()) {
    napi_value message;
    napi_value error;
    napi_create_string_utf8(env, work->error.c_str(), NAPI_AUTO_LENGTH, &message);
    napi_create_error(env, nullptr, message, &error);
    napi_reject_deferred(env, work->deferred, error);
  } else {
    napi_resolve_deferred(env, work->deferred, resultsOf(env, *work));
  }
  napi_delete_reference(env, work->keep);
  napi_delete_async_work(env, work->handle);
  delete work;
}

std::unique_ptr<Work> workOf(napi_env env, const Graph& graph, napi_value feeds, napi_value fetches,
                             napi_value targets) {
  auto work = std::unique_ptr<Work>(new Work);
  work->session = graph.session;
  for (uint32_t i = 0; i < length(env, feeds); i++) {
    napi_value feed = element(env, feeds, i);
    work->inputs.push_back(outputOf(env, graph, property(env, feed, "output")));
    work->values.push_back(tensor(env, feed));
  }
  work->fetches = outputsOf(env, graph, fetches);
  for (int64_t id : wholes(env, targets)) work->targets.push_back(nodeOf(graph, id));
  return work;
}

napi_value run(napi_env env, napi_callback_info info) {
  return entry(env, [&]() -> napi_value {
    napi_value args[5];
    arguments(env, info, args);
    auto work = workOf(env, graphOf(env, args[0]), args[1], args[2], args[3]);
    if (truth(env, args[4])) work->metadata = TF_NewBuffer();
    napi_value promise;
    napi_value name;
    check(napi_create_reference(env, args[0], 1, &work->keep), "the graph");
    check(napi_create_promise(env, &work->deferred, &promise), "a promise");
    check(napi_create_string_utf8(env, "cifar10-fast run", NAPI_AUTO_LENGTH, &name), "a name");
    check(napi_create_async_work(env, nullptr, name, execute, complete, work.get(), &work->handle), "work");
    check(napi_queue_async_work(env, work->handle), "work");
    work.release();
    return promise;
  });
}

napi_value runSync(napi_env env, napi_callback_info info) {
  return entry(env, [&]() -> napi_value {
    napi_value args[4];
    arguments(env, info, args);
    auto work = workOf(env, graphOf(env, args[0]), args[1], args[2], args[3]);
    execute(env, work.get());
    if (!work->error.empty()) throw Failure{work->error};
    return resultsOf(env, *work);
  });
}

napi_value closeGraph(napi_env env, napi_callback_info info) {
  return entry(env, [&]() -> napi_value {
    napi_value args[1];
    arguments(env, info, args);
    dispose(graphOf(env, args[0]));
    return nullptr;
  });
}

}  // namespace

NAPI_MODULE_INIT() {
  cifar10_fast::registerConvKernels();
  cifar10_fast::registerElementwiseKernels();
  const struct {
    const char* name;
    napi_callback function;
  } functions[] = {{"create", create}, {"addNode", addNode}, {"run", run}, {"runSync", runSync}, {"close", closeGraph},
                   {"setShape", setShape}, {"addFunction", addFunction}, {"convAlgorithms", convAlgorithms}, {"amx", amx},
                   {"hasElementwise", hasElementwise}};
  for (const auto& [name, function] : functions) {
    napi_value value;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  }
  return exports;
}
