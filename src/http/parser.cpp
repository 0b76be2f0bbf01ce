// Beast asserts things about its input that do not hold for a last chunk which comes in small pieces.
#define BOOST_DISABLE_ASSERTS

#include "http/parser.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace guv::inline v1::http {

namespace beast = boost::beast;
using beast::http::field;

namespace {

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

/// Does a request line that Beast did not take end in a version of HTTP, one that we do not speak?
bool other_version(std::string_view input) {
  const std::string_view line = input.substr(0, input.find('\r'));
  const std::size_t last = line.rfind(' ');
  if (last == line.npos) return false;
  const std::string_view version = line.substr(last + 1);
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return version.size() == 8 && version.starts_with("HTTP/") && digit(version[5]) && version[6] == '.' &&
         digit(version[7]) && version != "HTTP/1.0" && version != "HTTP/1.1";
}

/// A client that ends its lines so never sends the CRLF for which Beast would wait.
bool has_bare_line_feed(std::string_view lines) {
  for (std::size_t at = lines.find('\n'); at != lines.npos; at = lines.find('\n', at + 1)) {
    if (at == 0 || lines[at - 1] != '\r') return true;
  }
  return false;
}

bool good_target(std::string_view method, std::string_view target) {
  return target.front() == '/' || (target == "*" && method == "OPTIONS") || target.starts_with("http://") ||
         target.starts_with("https://");
}

}  // namespace

const Header* Head::find(std::string_view name) const {
  for (const Header& field : fields) {
    if (same_name(field.name, name)) return &field;
  }
  return nullptr;
}

Parser::Parser(Head& head, const Options& options) : head_(head), options_(options) {
  head_.method = head_.target = {};
  head_.version = 11;
  head_.fields.clear();
  head_.length.reset();
  head_.chunked = head_.keep_alive = head_.expects_continue = head_.upgrade = false;
  header_limit(UINT32_MAX);  // see check_size
  body_limit(options.max_body);
}

Parser::Step Parser::feed(std::string_view input, std::size_t& used) {
  input_ = input;
  piece_ = {};
  used = 0;
  for (;;) {
    if (has_head_ && is_done()) return Step::done;
    const std::string_view rest = input.substr(used);
    if (rest.empty()) return Step::more;
    Error error;
    const std::size_t taken = put(boost::asio::const_buffer(rest.data(), rest.size()), error);
    used += taken;
    const bool needs_more = error == beast::http::error::need_more;
    if (!has_head_ && (!error || needs_more)) check_size(taken, needs_more ? rest.substr(taken) : "", error);
    if (!has_head_ && needs_more && has_bare_line_feed(rest.substr(taken))) refuse(400, error);
    if (error == beast::http::error::need_more) return Step::more;
    if (error) return failed(error, rest);
    if (!has_head_) {
      has_head_ = true;
      return Step::head;
    }
    if (!piece_.empty()) return Step::body;
  }
}

// Beast's own limit starts anew with each line. `left` is what Beast does not take before there is more, which may be
// many lines.
void Parser::check_size(std::size_t taken, std::string_view left, Error& error) {
  head_size_ += taken;
  const bool in_first_line = !has_line_ && left.find('\n') == left.npos;
  if (in_first_line && left.size() > options_.max_request_line) refuse(414, error);
  if (head_size_ + left.size() > options_.max_head) refuse(in_first_line ? 414 : 431, error);
}

void Parser::on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                             Error& error) {
  head_.method = view(method);
  head_.target = view(target);
  head_.version = version;
  has_line_ = true;
  const std::size_t line = head_.method.size() + head_.target.size() + std::string_view("  HTTP/1.1").size();
  if (line > options_.max_request_line) return refuse(414, error);
  if (head_.method == "CONNECT") return refuse(501, error);
  if (!good_target(head_.method, head_.target)) refuse(400, error);
}

void Parser::on_field_impl(field field, beast::string_view raw_name, beast::string_view raw_value, Error& error) {
  const std::string_view name = view(raw_name);
  const std::string_view value = view(raw_value);
  if (!on_one_line(name, value)) return refuse(400, error);
  if (has_head_) return;  // a trailer: checked, but nobody's
  if (const int status = status_of_field(field, value)) return refuse(status, error);
  if (head_.fields.size() >= options_.max_fields) return refuse(431, error);
  head_.fields.push_back({name, value});
}

// Beast unfolds values that go on in the next line (obs-fold), into a buffer of its own or by leaving out empty lines.
// RFC 9112, 5.2 allows to refuse them, since others may read them otherwise.
bool Parser::on_one_line(std::string_view name, std::string_view value) const {
  const char* begin = name.data() + name.size() + 1;
  if (value.data() < begin || value.data() + value.size() > input_.data() + input_.size()) return false;
  return std::find(begin, value.data(), '\n') == value.data();
}

// Where somebody between the client and us could read a request's end elsewhere, it is refused: RFC 9112, 6.1 to 6.3.
int Parser::status_of_field(field field, std::string_view value) {
  switch (field) {
    case field::host: return ++hosts_ > 1 ? 400 : 0;
    case field::content_length:
      // Beast takes equal lengths, be it in one field or in several.
      if (has_length_ || value.find(',') != value.npos) return 400;
      has_length_ = true;
      return 0;
    case field::transfer_encoding:
      if (has_coding_ || head_.version < 11) return 400;
      has_coding_ = true;
      return same_name(value, "chunked") ? 0 : 501;
    case field::expect:
      if (!same_name(value, "100-continue")) return 417;
      head_.expects_continue = head_.version >= 11;
      return 0;
    default: return 0;
  }
}

void Parser::on_header_impl(Error& error) {
  if (head_.version >= 11 && hosts_ == 0) return refuse(400, error);
  if (const auto length = content_length()) head_.length = *length;
  head_.chunked = chunked();
  head_.keep_alive = keep_alive();
  head_.upgrade = upgrade();
}

std::size_t Parser::on_body_impl(beast::string_view piece, Error&) {
  piece_ = view(piece);
  return piece.size();
}

// Beast does not look into quoted strings.
void Parser::on_chunk_header_impl(std::uint64_t, beast::string_view extension, Error& error) {
  const auto control = [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; };
  if (std::any_of(extension.begin(), extension.end(), control)) refuse(400, error);
}

std::size_t Parser::on_chunk_body_impl(std::uint64_t, beast::string_view piece, Error&) {
  piece_ = view(piece);
  return piece.size();
}

void Parser::refuse(int status, Error& error) {
  status_ = status;
  error = beast::http::error::bad_value;
}

Parser::Step Parser::failed(const Error& error, std::string_view rest) {
  if (status_ == 0) {
    status_ = 400;
    if (error == beast::http::error::body_limit) status_ = 413;
    if (error == beast::http::error::bad_version && other_version(rest)) status_ = 505;
  }
  return Step::bad;
}

}  // namespace guv::inline v1::http
