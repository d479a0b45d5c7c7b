// Conversions between JavaScript values and TensorFlow's graphs.
#pragma once

// C++ exceptions become JavaScript errors. Once the environment is torn down, nothing can catch them: they are dropped.
#define NODE_ADDON_API_CPP_EXCEPTIONS_ALL
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
#include <napi.h>

#include "tensorflow-session.h"

namespace cifar10_fast {

struct Bytes {
  const void* data;
  size_t size;
};

// The bytes of a typed array of any type.
Bytes bytesOf(Napi::Value value);

std::string text(Napi::Value value);
int64_t whole(Napi::Value value);
// Also accepts a number, as TF.js writes attributes.
bool truth(Napi::Value value);
std::vector<int64_t> wholes(Napi::Value array);

Graph& graphOf(Napi::Value value);

// The output given by [id, index].
TF_Output outputOf(const Graph& graph, Napi::Value pair);
std::vector<TF_Output> outputsOf(const Graph& graph, Napi::Value pairs);

struct Input {
  bool is_list;
  std::vector<TF_Output> outputs;
};

// The input given by [id, index], or by a list of such pairs if it takes any number of values.
Input inputOf(const Graph& graph, Napi::Value value);

// { dtype, shape, data } as a tensor in TensorFlow's own memory.
TF_Tensor* tensorOf(Napi::Object value);

// Sets an attribute in TF.js's form: { name, type, value }, where type is a TF_AttrType.
void setAttribute(TF_OperationDescription* node, Napi::Object attribute);

Napi::Array shapeValue(Napi::Env env, const std::vector<int64_t>& shape);

// The results of a run as an array of { dtype, shape, data }; a timed run adds a property `metadata`.
Napi::Array resultsOf(Napi::Env env, const Run& run);

}  // namespace cifar10_fast
