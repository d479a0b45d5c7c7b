#include "graph-values.h"

#include <cstring>

namespace cifar10_fast {

namespace {

Napi::Array listOf(Napi::Value value) { return value.As<Napi::Array>(); }

double number(Napi::Value value) { return value.As<Napi::Number>().DoubleValue(); }

Napi::ArrayBuffer copyOf(Napi::Env env, const void* data, size_t size) {
  Napi::ArrayBuffer copy = Napi::ArrayBuffer::New(env, size);
  if (size > 0) std::memcpy(copy.Data(), data, size);
  return copy;
}

}  // namespace

Bytes bytesOf(Napi::Value value) {
  if (!value.IsTypedArray()) refuse("data is not a typed array");
  // Any view can be read as bytes; the type stays that of the array.
  const auto view = value.As<Napi::Uint8Array>();
  return {view.Data(), view.ByteLength()};
}

std::string text(Napi::Value value) { return value.As<Napi::String>().Utf8Value(); }

int64_t whole(Napi::Value value) { return value.As<Napi::Number>().Int64Value(); }

bool truth(Napi::Value value) { return value.IsNumber() ? number(value) != 0 : value.As<Napi::Boolean>().Value(); }

std::vector<int64_t> wholes(Napi::Value array) {
  const Napi::Array list = listOf(array);
  std::vector<int64_t> result(list.Length());
  for (uint32_t i = 0; i < result.size(); i++) result[i] = whole(list[i]);
  return result;
}

Graph& graphOf(Napi::Value value) {
  if (!value.IsExternal()) refuse("a graph is not what was expected");
  Graph& graph = *value.As<Napi::External<Graph>>().Data();
  if (graph.session == nullptr) refuse("the graph is closed");
  return graph;
}

TF_Output outputOf(const Graph& graph, Napi::Value pair) {
  const Napi::Array list = listOf(pair);
  return {graph.node(whole(list[0u])), static_cast<int>(whole(list[1u]))};
}

std::vector<TF_Output> outputsOf(const Graph& graph, Napi::Value pairs) {
  const Napi::Array list = listOf(pairs);
  std::vector<TF_Output> outputs(list.Length());
  for (uint32_t i = 0; i < outputs.size(); i++) outputs[i] = outputOf(graph, list[i]);
  return outputs;
}

Input inputOf(const Graph& graph, Napi::Value value) {
  const Napi::Array list = listOf(value);
  const bool is_list = list.Length() == 0 || list.Get(0u).IsArray();
  if (is_list) return {true, outputsOf(graph, value)};
  return {false, {outputOf(graph, value)}};
}

TF_Tensor* tensorOf(Napi::Object value) {
  const auto dtype = static_cast<TF_DataType>(whole(value["dtype"]));
  const std::vector<int64_t> shape = wholes(value["shape"]);
  const Bytes source = bytesOf(value["data"]);
  size_t size = TF_DataTypeSize(dtype);
  for (int64_t extent : shape) size *= static_cast<size_t>(extent);
  if (size != source.size) {
    refuse("a tensor of " + std::to_string(size) + " bytes was given " + std::to_string(source.size));
  }
  TF_Tensor* result = TF_AllocateTensor(dtype, shape.data(), static_cast<int>(shape.size()), size);
  std::memcpy(TF_TensorData(result), source.data, size);
  return result;
}

void setAttribute(TF_OperationDescription* node, Napi::Object attribute) {
  const std::string name = text(attribute["name"]);
  const auto type = static_cast<TF_AttrType>(whole(attribute["type"]));
  const Napi::Value value = attribute["value"];
  switch (type) {
    case TF_ATTR_STRING: {
      const std::string given = text(value);
      return TF_SetAttrString(node, name.c_str(), given.data(), given.size());
    }
    case TF_ATTR_INT: {
      if (!value.IsArray()) return TF_SetAttrInt(node, name.c_str(), whole(value));
      const std::vector<int64_t> given = wholes(value);
      return TF_SetAttrIntList(node, name.c_str(), given.data(), static_cast<int>(given.size()));
    }
    case TF_ATTR_FLOAT:
      return TF_SetAttrFloat(node, name.c_str(), static_cast<float>(number(value)));
    case TF_ATTR_BOOL:
      return TF_SetAttrBool(node, name.c_str(), truth(value));
    case TF_ATTR_TYPE: {
      if (!value.IsArray()) return TF_SetAttrType(node, name.c_str(), static_cast<TF_DataType>(whole(value)));
      std::vector<TF_DataType> given;
      for (int64_t type : wholes(value)) given.push_back(static_cast<TF_DataType>(type));
      return TF_SetAttrTypeList(node, name.c_str(), given.data(), static_cast<int>(given.size()));
    }
    case TF_ATTR_FUNC: {
      const std::string given = text(value);
      return TF_SetAttrFuncName(node, name.c_str(), given.data(), given.size());
    }
    case TF_ATTR_SHAPE: {
      const std::vector<int64_t> given = wholes(value);
      return TF_SetAttrShape(node, name.c_str(), given.data(), static_cast<int>(given.size()));
    }
    case TF_ATTR_TENSOR: {
      TF_Tensor* given = tensorOf(value.As<Napi::Object>());
      Status status;
      TF_SetAttrTensor(node, name.c_str(), given, status);
      TF_DeleteTensor(given);
      return status.check();
    }
    default:
      refuse("attribute " + name + " has a type that is not supported");
  }
}

Napi::Array shapeValue(Napi::Env env, const std::vector<int64_t>& shape) {
  Napi::Array result = Napi::Array::New(env, shape.size());
  for (uint32_t i = 0; i < shape.size(); i++) result[i] = static_cast<double>(shape[i]);
  return result;
}

Napi::Array resultsOf(Napi::Env env, const Run& run) {
  Napi::Array results = Napi::Array::New(env, run.results.size());
  for (uint32_t i = 0; i < run.results.size(); i++) {
    TF_Tensor* tensor = run.results[i];
    std::vector<int64_t> shape(TF_NumDims(tensor));
    for (size_t axis = 0; axis < shape.size(); axis++) shape[axis] = TF_Dim(tensor, static_cast<int>(axis));
    Napi::Object result = Napi::Object::New(env);
    result["dtype"] = static_cast<double>(TF_TensorType(tensor));
    result["shape"] = shapeValue(env, shape);
    result["data"] = copyOf(env, TF_TensorData(tensor), TF_TensorByteSize(tensor));
    results[i] = result;
  }
  if (run.metadata != nullptr) results["metadata"] = copyOf(env, run.metadata->data, run.metadata->length);
  return results;
}

}  // namespace cifar10_fast
