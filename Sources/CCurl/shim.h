// libcurl with its variadic calls given types: Swift cannot call those.
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

typedef size_t (*rrcm_curl_data)(char *data, size_t size, size_t count, void *context);
typedef int (*rrcm_curl_progress)(
    void *context, curl_off_t to_receive, curl_off_t received, curl_off_t to_send, curl_off_t sent);

static inline CURLcode rrcm_curl_start(void) { return curl_global_init(CURL_GLOBAL_DEFAULT); }

static inline CURLcode rrcm_curl_set_long(CURL *handle, CURLoption option, long value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode rrcm_curl_set_offset(CURL *handle, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode rrcm_curl_set_string(CURL *handle, CURLoption option, const char *value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode rrcm_curl_set_pointer(CURL *handle, CURLoption option, void *value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode rrcm_curl_set_data_function(CURL *handle, CURLoption option, rrcm_curl_data value) {
  return curl_easy_setopt(handle, option, value);
}
static inline CURLcode rrcm_curl_set_progress_function(CURL *handle, rrcm_curl_progress value) {
  return curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, value);
}
static inline curl_off_t rrcm_curl_retry_after(CURL *handle) {
  curl_off_t seconds = 0;
  return curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK ? seconds : 0;
}
