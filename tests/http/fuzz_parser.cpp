// libFuzzer: whatever comes is parsed the same in one piece and cut into pieces, and never by reading outside of it.
// The first byte of the input says how it is cut.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "http/parser.hpp"

using namespace guv::http;

namespace {

/// What a server would see of a connection's requests.
std::string requests_of(std::string_view input, std::size_t step) {
  static const Options options{.max_request_line = 200, .max_head = 1000, .max_fields = 10, .max_body = 1000};
  std::string seen;
  std::size_t begin = 0, end = 0;
  while (begin < input.size()) {
    Head head;
    Parser parser(head, options);
    std::string body;
    for (;;) {
      std::size_t used;
      const Parser::Step how = parser.feed(input.substr(begin, end - begin), used);
      if (used > end - begin) std::abort();
      begin += used;
      if (how == Parser::Step::bad) return seen + "refused with " + std::to_string(parser.status());
      if (how == Parser::Step::head) {
        seen.append(head.method).append(" ").append(head.target).append("\n");
        for (const Header& field : head.fields) seen.append(field.name).append(":").append(field.value).append("\n");
        seen += head.keep_alive ? "keep" : "close";
      }
      if (how == Parser::Step::body) body += parser.piece();
      if (how == Parser::Step::done) break;
      if (how == Parser::Step::more) {
        if (end == input.size()) return seen + body + "...";
        end = std::min(end + step, input.size());
      }
    }
    if (body.size() > options.max_body) std::abort();
    seen += body + "\n";
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  // A copy of its own, so that the sanitizer sees what is read beyond the end.
  const std::size_t length = size - 1;
  const auto copy = std::make_unique<char[]>(length);
  std::copy(data + 1, data + size, copy.get());
  const std::string_view input(copy.get(), length);
  const std::string whole = requests_of(input, length);
  const std::string cut = requests_of(input, 1 + data[0] % 7);
  // What is wrong may be refused for another reason, and before or after all of it has come. But nothing wrong is ever
  // served.
  const auto is_served = [](const std::string& seen) {
    return !seen.ends_with("...") && seen.find("refused with ") == seen.npos;
  };
  if (is_served(whole) != is_served(cut) || (is_served(whole) && whole != cut)) std::abort();
  return 0;
}
