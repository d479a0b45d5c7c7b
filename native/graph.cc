// The parts of TensorFlow's graph and session that the capture engine needs, over TensorFlow's stable C interface.
//
//   create(config)                                   a graph with a session; config is a serialised ConfigProto
//   addNode(graph, op, name, inputs, attributes, controls) -> { id, outputs: [{ dtype, shape }] }
//                                                    an input is an output, or a list of outputs
//   run(graph, feeds, fetches, targets, isTimed) -> Promise<[{ dtype, shape, data }]>
//                                                    a timed run adds a property `metadata`, a serialised RunMetadata
//   runSync(graph, feeds, fetches, targets) -> [{ dtype, shape, data }]
//                                                    the same on the JavaScript thread, for short measurements
//   addFunction(graph, body, name, inputs, outputs)  makes a function of the graph `body` and adds it to `graph`;
//                                                    inputs and outputs are outputs of nodes of `body`
//   setShape(graph, output, shape)                   for outputs of operations without shape inference
//   convAlgorithms(pass, isBfloat16, shape)          names of conv.cc's algorithms for a pass (0: forward, 1: input gradient,
//                                                    2: kernel gradient) of a shape [N, H, W, Ci, Co, OH, OW]
//   amx()                                            whether AMX tiles are 'missing', 'refused' or 'usable'
//   close(graph)
//
// A node is identified by its id, an output by [id, index]. TensorFlow infers types and shapes as nodes are added; an unknown
// extent is -1, an unknown shape is null. Runs do not block the JavaScript thread: the session runs on one of libuv's
// threads. The caller makes sure that each graph has one run at a time.
#include <memory>

#include "amx.h"
#include "conv.h"
#include "elementwise.h"
#include "graph-values.h"
#include "library-pages.h"

namespace cifar10_fast {
namespace {

Napi::Value create(const Napi::CallbackInfo& info) {
  const Bytes config = bytesOf(info[0]);
  return Napi::External<Graph>::New(info.Env(), new Graph(config.data, config.size),
                                    [](Napi::Env, Graph* graph) { delete graph; });
}

// { dtype, shape } of an output, as far as TensorFlow infers them.
Napi::Object describe(Napi::Env env, const Graph& graph, TF_Output output) {
  Status status;
  Napi::Object described = Napi::Object::New(env);
  described["dtype"] = static_cast<double>(TF_OperationOutputType(output));
  const int rank = TF_GraphGetTensorNumDims(graph.graph, output, status);
  status.check();
  if (rank < 0) {
    described["shape"] = env.Null();
  } else {
    std::vector<int64_t> extents(rank);
    TF_GraphGetTensorShape(graph.graph, output, extents.data(), rank, status);
    status.check();
    described["shape"] = shapeValue(env, extents);
  }
  return described;
}

Napi::Value addNode(const Napi::CallbackInfo& info) {
  Graph& graph = graphOf(info[0]);
  const std::string op = text(info[1]);
  const std::string name = text(info[2]);
  // Reads what can throw before creating the description, which only TF_FinishOperation frees.
  const auto given = info[3].As<Napi::Array>();
  const auto attributes = info[4].As<Napi::Array>();
  std::vector<Input> inputs(given.Length());
  for (uint32_t i = 0; i < inputs.size(); i++) inputs[i] = inputOf(graph, given[i]);
  const std::vector<int64_t> controls = wholes(info[5]);
  const uint32_t attribute_count = attributes.Length();

  TF_OperationDescription* description = TF_NewOperation(graph.graph, op.c_str(), name.c_str());
  for (const Input& input : inputs) {
    if (input.is_list) {
      TF_AddInputList(description, input.outputs.data(), static_cast<int>(input.outputs.size()));
    } else {
      TF_AddInput(description, input.outputs[0]);
    }
  }
  for (int64_t id : controls) TF_AddControlInput(description, graph.node(id));
  for (uint32_t i = 0; i < attribute_count; i++) setAttribute(description, attributes.Get(i).As<Napi::Object>());
  Status status;
  TF_Operation* node = TF_FinishOperation(description, status);
  status.check();
  graph.nodes.push_back(node);

  Napi::Array outputs = Napi::Array::New(info.Env(), TF_OperationNumOutputs(node));
  for (uint32_t i = 0; i < outputs.Length(); i++) outputs[i] = describe(info.Env(), graph, {node, static_cast<int>(i)});
  Napi::Object result = Napi::Object::New(info.Env());
  result["id"] = static_cast<double>(graph.nodes.size() - 1);
  result["outputs"] = outputs;
  return result;
}

// Copies all nodes of `body` into a function, which nodes of `graph` call by its name.
void addFunction(const Napi::CallbackInfo& info) {
  Graph& graph = graphOf(info[0]);
  Graph& body = graphOf(info[1]);
  const std::string name = text(info[2]);
  const std::vector<TF_Output> inputs = outputsOf(body, info[3]);
  const std::vector<TF_Output> outputs = outputsOf(body, info[4]);
  Status status;
  TF_Function* made = TF_GraphToFunction(body.graph, name.c_str(), 0, -1, nullptr, static_cast<int>(inputs.size()),
                                         inputs.data(), static_cast<int>(outputs.size()), outputs.data(), nullptr,
                                         nullptr, nullptr, status);
  status.check();
  TF_GraphCopyFunction(graph.graph, made, nullptr, status);
  TF_DeleteFunction(made);
  status.check();
}

// Sets the shape of an output that TensorFlow cannot infer, such as that of our own operations.
void setShape(const Napi::CallbackInfo& info) {
  Graph& graph = graphOf(info[0]);
  const std::vector<int64_t> shape = wholes(info[2]);
  Status status;
  TF_GraphSetTensorShape(graph.graph, outputOf(graph, info[1]), shape.data(), static_cast<int>(shape.size()), status);
  status.check();
}

// Creates a run from the arguments of run and runSync.
std::unique_ptr<Run> runOf(const Napi::CallbackInfo& info) {
  const Graph& graph = graphOf(info[0]);
  auto run = std::make_unique<Run>(graph.session);
  const auto feeds = info[1].As<Napi::Array>();
  for (uint32_t i = 0; i < feeds.Length(); i++) {
    const auto feed = feeds.Get(i).As<Napi::Object>();
    run->inputs.push_back(outputOf(graph, feed["output"]));
    run->values.push_back(tensorOf(feed));
  }
  run->fetches = outputsOf(graph, info[2]);
  for (int64_t id : wholes(info[3])) run->targets.push_back(graph.node(id));
  return run;
}

// A run on one of libuv's threads. It keeps a reference to the graph, which must outlive the run, and deletes itself.
class Worker : public Napi::AsyncWorker {
 public:
  Worker(Napi::Value graph, std::unique_ptr<Run> run)
      : Napi::AsyncWorker(graph.Env(), "cifar10-fast run"),
        deferred_(graph.Env()),
        graph_(Napi::Reference<Napi::Value>::New(graph, 1)),
        run_(std::move(run)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { run_->execute(); }
  void OnOK() override { deferred_.Resolve(resultsOf(Env(), *run_)); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  Napi::Reference<Napi::Value> graph_;
  std::unique_ptr<Run> run_;
};

Napi::Value run(const Napi::CallbackInfo& info) {
  auto run = runOf(info);
  if (truth(info[4])) run->time();
  auto* worker = new Worker(info[0], std::move(run));
  worker->Queue();
  return worker->promise();
}

Napi::Value runSync(const Napi::CallbackInfo& info) {
  const auto run = runOf(info);
  run->execute();
  return resultsOf(info.Env(), *run);
}

void closeGraph(const Napi::CallbackInfo& info) { graphOf(info[0]).close(); }

Napi::Value amx(const Napi::CallbackInfo& info) {
  const char* const names[] = {"missing", "refused", "usable"};
  return Napi::String::New(info.Env(), names[static_cast<int>(amxState())]);
}

Napi::Value convAlgorithmNames(const Napi::CallbackInfo& info) {
  const auto pass = static_cast<Pass>(whole(info[0]));
  const std::vector<int64_t> v = wholes(info[2]);
  if (v.size() != 7) refuse("a convolution has 7 extents, not " + std::to_string(v.size()));
  const auto names = convAlgorithms(pass, truth(info[1]), {v[0], v[1], v[2], v[3], v[4], v[5], v[6]});
  Napi::Array result = Napi::Array::New(info.Env(), names.size());
  for (uint32_t i = 0; i < names.size(); i++) result[i] = names[i];
  return result;
}

Napi::Value hasElementwise(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), elementwiseFloat() != nullptr);
}

Napi::Object addon(Napi::Env env, Napi::Object exports) {
  registerConvKernels();
  registerElementwiseKernels();
  releaseLibraryPages();
  exports["create"] = Napi::Function::New<create>(env, "create");
  exports["addNode"] = Napi::Function::New<addNode>(env, "addNode");
  exports["addFunction"] = Napi::Function::New<addFunction>(env, "addFunction");
  exports["setShape"] = Napi::Function::New<setShape>(env, "setShape");
  exports["run"] = Napi::Function::New<run>(env, "run");
  exports["runSync"] = Napi::Function::New<runSync>(env, "runSync");
  exports["close"] = Napi::Function::New<closeGraph>(env, "close");
  exports["convAlgorithms"] = Napi::Function::New<convAlgorithmNames>(env, "convAlgorithms");
  exports["amx"] = Napi::Function::New<amx>(env, "amx");
  exports["hasElementwise"] = Napi::Function::New<hasElementwise>(env, "hasElementwise");
  return exports;
}

}  // namespace
}  // namespace cifar10_fast

using cifar10_fast::addon;
NODE_API_MODULE(graph, addon)
