#include <charconv>

#include "http/connection.hpp"
#include "http/text.hpp"

namespace guv::inline v1::http {

Response Response::stream(Produce produce) {
  Response response;
  response.produce_ = std::move(produce);
  return response;
}

Response Response::generate(Generate generate) {
  return stream([generate = std::move(generate)](Writer& writer) {
    while (const auto piece = generate()) writer.write(*piece);
  });
}

Response Response::upgrade(std::string_view protocol, Upgrade handler) {
  Response response;
  response.status_ = 101;
  response.upgrade_ = std::move(handler);
  response.add("Upgrade", protocol);
  return response;
}

Response& Response::status(int status) {
  if (status < 200 || status > 999) throw std::invalid_argument("not the status of a response");
  status_ = status;
  return *this;
}

Response& Response::set(std::string_view name, std::string_view value) {
  for (std::size_t at = 0; at < fields_.size();) {
    const std::size_t end = fields_.find("\r\n", at) + 2;
    if (same_name(std::string_view(fields_).substr(at, fields_.find(':', at) - at), name)) {
      fields_.erase(at, end - at);
    } else {
      at = end;
    }
  }
  return add(name, value);
}

Response& Response::add(std::string_view name, std::string_view value) {
  if (!is_token(name)) throw std::invalid_argument("not the name of a header field");
  if (!is_field_value(value)) throw std::invalid_argument("not the value of a header field");
  if (same_name(name, "Transfer-Encoding")) throw std::invalid_argument("Transfer-Encoding is set by the server");
  if (same_name(name, "Content-Length")) {
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (error != std::errc() || end != value.data() + value.size()) throw std::invalid_argument("not a Content-Length");
    length_ = length;
    return *this;
  }
  if (same_name(name, "Connection")) {
    close_ = close_ || lists(value, "close");
    return *this;
  }
  has_type_ = has_type_ || same_name(name, "Content-Type");
  has_date_ = has_date_ || same_name(name, "Date");
  has_server_ = has_server_ || same_name(name, "Server");
  fields_.append(name).append(": ").append(value).append("\r\n");
  return *this;
}

void Writer::write(std::string_view data) { connection_->write_piece(data); }

ssize_t Stream::read(void* buffer, std::size_t size, Deadline deadline) {
  return connection_->read_raw(buffer, size, deadline);
}

ssize_t Stream::write(std::string_view data, Deadline deadline) { return connection_->write_raw(data, deadline); }

void Stream::shutdown() { connection_->cut_off(); }

Request& Stream::request() { return connection_->request(); }

Transport::~Transport() = default;

}  // namespace guv::inline v1::http
