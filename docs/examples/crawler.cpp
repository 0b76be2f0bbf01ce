// The crawler of the Python guv: many URLs at once, by a library that knows nothing of it (libcurl's blocking interface).
//   crawler URL…
#include <curl/curl.h>
#include <guv/guv.hpp>
#include <guv/patcher.hpp>

#include <iostream>
#include <string>
#include <vector>

std::size_t get_url(const std::string& url) {
  std::string body;
  CURL* curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, +[](char* data, std::size_t, std::size_t size, void* body) {
    static_cast<std::string*>(body)->append(data, size);
    return size;
  });
  const CURLcode result = curl_easy_perform(curl);  // blocks, as it thinks
  curl_easy_cleanup(curl);
  if (result != CURLE_OK) throw std::runtime_error(url + ": " + curl_easy_strerror(result));
  return body.size();
}

int main(int count, char** arguments) {
  guv::monkey_patch();
  curl_global_init(CURL_GLOBAL_ALL);
  const std::vector<std::string> urls(arguments + 1, arguments + count);

  const int64_t start = guv_now();
  guv::GreenPile<std::size_t> pile(100);
  for (const std::string& url : urls) pile.spawn(get_url, url);
  std::size_t i = 0;
  for (const std::size_t size : pile) std::cout << i++ << ": done, length: " << size << '\n';
  std::cerr << urls.size() << " URLs in " << (guv_now() - start) / 1'000'000 << " ms\n";
}
