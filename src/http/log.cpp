#include "http/log.hpp"

#include <unistd.h>

#include "http/text.hpp"

namespace guv::inline v1::http {

namespace {

void append_escaped(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte >= 0x7f || c == '"' || c == '\\') {
      out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    } else {
      out += c;
    }
  }
}

void append_field(std::string& out, const Header* field) {
  out += " \"";
  append_escaped(out, field ? field->value : "-");
  out += '"';
}

}  // namespace

std::string log_line(const Head& head, std::string_view remote_address, int status, std::uint64_t sent) {
  std::string line(remote_address.empty() ? "-" : remote_address);
  line.append(" - - [").append(log_time(time(nullptr))).append("] \"");
  if (head.method.empty()) {
    line += '-';
  } else {
    append_escaped(line, head.method);
    line += ' ';
    append_escaped(line, head.target);
    line += head.version >= 11 ? " HTTP/1.1" : " HTTP/1.0";
  }
  line += "\" ";
  append_number(line, static_cast<std::uint64_t>(status));
  line += ' ';
  append_number(line, sent);
  append_field(line, head.find("Referer"));
  append_field(line, head.find("User-Agent"));
  return line;
}

std::function<void(std::string_view)> log_to(int fd) {
  return [fd](std::string_view text) {
    std::string line(text);
    line += '\n';
    [[maybe_unused]] const ssize_t written = write(fd, line.data(), line.size());
  };
}

}  // namespace guv::inline v1::http
