// What passes between JavaScript and TensorFlow's graphs.
#pragma once

// What C++ throws becomes a JavaScript error. Once the environment is torn down nobody can take one: it is dropped.
#define NODE_ADDON_API_CPP_EXCEPTIONS_ALL
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#include "tensorflow-session.h"

namespace cifar10_fast {

struct Bytes {
  const void* data;
  size_t size;
};

// The bytes of a typed array, of whatever type.
Bytes bytesOf(Napi::Value value);

std::string text(Napi::Value value);
int64_t whole(Napi::Value value);
// Also of a number, as TF.js writes attributes.
bool truth(Napi::Value value);
std::vector<int64_t> wholes(Napi::Value array);

Graph& graphOf(Napi::Value value);

// Of [id, index].
TF_Output outputOf(const Graph& graph, Napi::Value pair);
std::vector<TF_Output> outputsOf(const Graph& graph, Napi::Value pairs);

struct Input {
  bool is_list;
  std::vector<TF_Output> outputs;
};

// Of [id, index], or of a list of such pairs for an input that takes any number of values.
Input inputOf(const Graph& graph, Napi::Value value);

// { dtype, shape, data } as a tensor of TensorFlow's own memory.
TF_Tensor* tensorOf(Napi::Object value);

// An attribute in the form that TF.js gives it: { name, type, value }, type being a TF_AttrType.
void setAttribute(TF_OperationDescription* node, Napi::Object attribute);

Napi::Array shapeValue(Napi::Env env, const std::vector<int64_t>& shape);

// The results of a run as an array of { dtype, shape, data }; of a timed one, with a property `metadata`.
Napi::Array resultsOf(Napi::Env env, const Run& run);

}  // namespace cifar10_fast
