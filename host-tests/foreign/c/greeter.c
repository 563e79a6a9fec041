// The greeter in C on wasi-libc, without an SDK: ABI 0.2.1, WASI reactor, output through stdio.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMPORT(name) __attribute__((import_module("env"), import_name(#name))) extern uint32_t name
#define EXPORT(name) __attribute__((export_name(#name)))

IMPORT(proxy_get_buffer_bytes)(uint32_t, uint32_t, uint32_t, char **, size_t *);
IMPORT(proxy_set_buffer_bytes)(uint32_t, uint32_t, uint32_t, const char *, size_t);
IMPORT(proxy_get_header_map_value)(uint32_t, const char *, size_t, char **, size_t *);
IMPORT(proxy_replace_header_map_value)(uint32_t, const char *, size_t, const char *, size_t);
IMPORT(proxy_remove_header_map_value)(uint32_t, const char *, size_t);
IMPORT(proxy_send_local_response)(uint32_t, const char *, size_t, const char *, size_t,
                                  const char *, size_t, int32_t);
IMPORT(proxy_define_metric)(uint32_t, const char *, size_t, uint32_t *);
IMPORT(proxy_increment_metric)(uint32_t, int64_t);

enum { REQUEST_HEADERS = 0, RESPONSE_HEADERS = 2, RESPONSE_BODY = 1, PLUGIN_CONFIGURATION = 7 };

static char *greeting;
static size_t greeting_size;
static uint32_t requests;

EXPORT(proxy_abi_version_0_2_1) void version(void) {}

EXPORT(proxy_on_memory_allocate) void *allocate(size_t size) { return malloc(size); }

EXPORT(proxy_on_configure) uint32_t on_configure(uint32_t root, uint32_t size) {
  if (proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, &greeting, &greeting_size)) return 0;
  if (proxy_define_metric(0, "greeter.requests", 16, &requests)) return 0;
  printf("configured with %.*s\n", (int)greeting_size, greeting);
  fflush(stdout);
  return 1;
}

static void set(uint32_t map, const char *name, const char *value, size_t size) {
  proxy_replace_header_map_value(map, name, strlen(name), value, size);
}

// A map of one pair: the count, the lengths, then name and value, each with a NUL behind it.
static char *pair(const char *name, const char *value, size_t value_size, size_t *size) {
  uint32_t name_size = strlen(name);
  uint32_t head[3] = {1, name_size, value_size};
  *size = sizeof head + name_size + 1 + value_size + 1;
  char *map = calloc(1, *size);
  memcpy(map, head, sizeof head);
  memcpy(map + sizeof head, name, name_size);
  memcpy(map + sizeof head + name_size + 1, value, value_size);
  return map;
}

EXPORT(proxy_on_request_headers) uint32_t on_request_headers(uint32_t id, uint32_t n, uint32_t end) {
  proxy_increment_metric(requests, 1);
  char *path = NULL;
  size_t path_size = 0;
  proxy_get_header_map_value(REQUEST_HEADERS, ":path", 5, &path, &path_size);
  printf("request of %.*s\n", (int)path_size, path);
  fflush(stdout);
  int denied = path_size == 7 && memcmp(path, "/denied", 7) == 0;
  free(path);
  if (denied) {
    size_t size;
    char *headers = pair("x-greeting", greeting, greeting_size, &size);
    proxy_send_local_response(403, "", 0, "not for you", 11, headers, size, -1);
    free(headers);
    return 1;
  }
  set(REQUEST_HEADERS, "x-greeting", greeting, greeting_size);
  return 0;
}

EXPORT(proxy_on_response_headers) uint32_t on_response_headers(uint32_t id, uint32_t n, uint32_t end) {
  proxy_remove_header_map_value(RESPONSE_HEADERS, "content-length", 14);
  set(RESPONSE_HEADERS, "x-greeted", "yes", 3);
  return 0;
}

EXPORT(proxy_on_response_body) uint32_t on_response_body(uint32_t id, uint32_t size, uint32_t end) {
  if (end) proxy_set_buffer_bytes(RESPONSE_BODY, size, 0, "!", 1);
  return 0;
}
