#include <algorithm>
#include <cstring>

#include "http/connection.hpp"
#include "http/text.hpp"

namespace guv::inline v1::http {

namespace {

/// The path of a target, as sent. Clients of proxies send the whole address; its empty path is "/" (RFC 9110, 4.2.3).
std::string_view path_of(std::string_view target) {
  target = target.substr(0, target.find('?'));
  if (target.front() == '/' || target == "*") return target;
  const std::size_t slash = target.find('/', target.find("//") + 2);
  return slash == target.npos ? "/" : target.substr(slash);
}

/// HTTP_USER_AGENT of User-Agent.
std::string environ_name(std::string_view field) {
  std::string name = "HTTP_";
  for (const char c : field) name += c == '-' ? '_' : static_cast<char>(toupper(static_cast<unsigned char>(c)));
  return name;
}

}  // namespace

BadRequest::BadRequest(int status) : std::runtime_error(std::string(reason_phrase(status))), status_(status) {}
BadRequest::~BadRequest() = default;

std::string_view Request::method() const { return connection_->head().method; }
std::string_view Request::target() const { return connection_->head().target; }

std::string Request::path() const { return decoded(path_of(target()), false); }

std::string_view Request::query() const {
  const std::size_t mark = target().find('?');
  return mark == target().npos ? std::string_view() : target().substr(mark + 1);
}

std::optional<std::string> Request::parameter(std::string_view name) const {
  for (std::string_view rest = query(); !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (decoded(pair.substr(0, equals), true) != name) continue;
    return decoded(pair.substr(std::min(equals + 1, pair.size())), true);
  }
  return std::nullopt;
}

int Request::version() const { return connection_->head().version; }
std::span<const Header> Request::headers() const { return connection_->head().fields; }

std::string_view Request::header(std::string_view name) const {
  const Header* field = connection_->head().find(name);
  return field ? field->value : std::string_view();
}

RequestBody& Request::body() { return connection_->body(); }
std::string_view Request::remote_address() const { return connection_->remote_address(); }

std::string Request::environ(std::string_view name) const {
  const auto all = environ();
  const auto found = all.find(std::string(name));
  return found == all.end() ? std::string() : found->second;
}

std::map<std::string, std::string> Request::environ() const {
  const Address local = connection_->local_address();
  std::map<std::string, std::string> variables{
      {"REQUEST_METHOD", std::string(method())},
      {"REQUEST_SCHEME", connection_->scheme()},
      {"PATH_INFO", path()},
      {"QUERY_STRING", std::string(query())},
      {"SERVER_NAME", local.host()},
      {"SERVER_PORT", std::to_string(local.port())},
      {"SERVER_PROTOCOL", version() >= 11 ? "HTTP/1.1" : "HTTP/1.0"},
      {"REMOTE_ADDR", std::string(remote_address())},
      {"REMOTE_PORT", std::to_string(connection_->remote_port())},
  };
  for (const Header& field : headers()) {
    // RFC 3875, 4.1.18; and a field named Content_Length must not pass for Content-Length.
    if (field.name.find('_') != field.name.npos) continue;
    const bool bare = same_name(field.name, "Content-Type") || same_name(field.name, "Content-Length");
    const std::string variable = environ_name(field.name).substr(bare ? 5 : 0);
    auto [at, is_new] = variables.try_emplace(variable, field.value);
    if (!is_new) at->second.append(",").append(field.value);
  }
  return variables;
}

std::size_t RequestBody::read(char* buffer, std::size_t size) {
  const std::string_view piece = connection_->piece();
  const std::size_t part = std::min(size, piece.size());
  std::memcpy(buffer, piece.data(), part);
  connection_->drop_piece(part);
  return part;
}

std::string RequestBody::read(std::size_t size) {
  std::string data;
  while (data.size() < size) {
    const std::string_view piece = connection_->piece();
    if (piece.empty()) break;
    const std::size_t part = std::min(size - data.size(), piece.size());
    data.append(piece, 0, part);
    connection_->drop_piece(part);
  }
  return data;
}

std::string RequestBody::read() { return read(std::string::npos); }

std::string RequestBody::readline() {
  std::string line;
  for (;;) {
    const std::string_view piece = connection_->piece();
    if (piece.empty()) return line;
    const std::size_t end = piece.find('\n');
    const std::size_t part = end == piece.npos ? piece.size() : end + 1;
    line.append(piece, 0, part);
    connection_->drop_piece(part);
    if (end != piece.npos) return line;
  }
}

std::optional<std::uint64_t> RequestBody::length() const {
  const Head& head = connection_->head();
  return head.chunked ? std::nullopt : std::optional(head.length.value_or(0));
}

}  // namespace guv::inline v1::http
