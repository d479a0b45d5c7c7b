/*
 * Redirects file descriptor 2, and restores it.
 *
 * TensorFlow's static initialisers write to standard error before any of its own log settings apply. The only way to keep
 * their messages off a user's terminal is to redirect standard error while the library loads. Node has no dup2.
 *
 *   redirect(fd) -> saved   makes standard error write to fd; `saved` is a duplicate of the original descriptor
 *   restore(saved)          restores standard error and closes `saved`
 */
#include <node_api.h>
#include <unistd.h>

static napi_value fail(napi_env env, const char* what) {
  napi_throw_error(env, "EBADF", what);
  return NULL;
}

static int32_t first_argument(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  int32_t value = -1;
  if (napi_get_cb_info(env, info, &count, &argument, NULL, NULL) != napi_ok || count < 1) return -1;
  if (napi_get_value_int32(env, argument, &value) != napi_ok) return -1;
  return value;
}

static napi_value redirect(napi_env env, napi_callback_info info) {
  int32_t target = first_argument(env, info);
  int saved = dup(2);
  if (saved < 0 || dup2(target, 2) < 0) return fail(env, "stderr.redirect: not an open descriptor");
  napi_value result;
  napi_create_int32(env, saved, &result);
  return result;
}

static napi_value restore(napi_env env, napi_callback_info info) {
  int32_t saved = first_argument(env, info);
  if (dup2(saved, 2) < 0) return fail(env, "stderr.restore: not an open descriptor");
  close(saved);
  return NULL;
}

NAPI_MODULE_INIT() {
  napi_value function;
  napi_create_function(env, "redirect", NAPI_AUTO_LENGTH, redirect, NULL, &function);
  napi_set_named_property(env, exports, "redirect", function);
  napi_create_function(env, "restore", NAPI_AUTO_LENGTH, restore, NULL, &function);
  napi_set_named_property(env, exports, "restore", function);
  return exports;
}
