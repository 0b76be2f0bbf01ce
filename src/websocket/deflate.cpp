#include "websocket/deflate.hpp"

#include <wslay/wslay.h>

#include <algorithm>
#include <new>
#include <set>

#include "http/text.hpp"

namespace guv::inline v1 {

namespace {

// What ends the output of Z_SYNC_FLUSH, and is not sent: RFC 7692, 7.2.1.
constexpr std::string_view flush_mark("\0\0\xff\xff", 4);

constexpr int smallest_window = 9;  // zlib has no 8 without a header of its own

/// RFC 7692, 7.1.2: a number from 8 to 15 without zeros before it.
std::optional<int> window_bits(std::string_view value) {
  if (value == "8" || value == "9") return value[0] - '0';
  if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5') return 10 + value[1] - '0';
  return std::nullopt;
}

/// One offer, with "name" or "name=value" in each of its parameters. What is not known there must be declined.
class Offer {
 public:
  /// Returns whether it is one of permessage-deflate, and well-formed.
  bool parse(std::string_view text) {
    const auto parts = http::split(text, ';');
    if (parts.front() != "permessage-deflate") return false;
    return std::all_of(parts.begin() + 1, parts.end(), [this](std::string_view part) { return take(part); });
  }

  bool server_takes_over = true, client_takes_over = true;
  std::optional<int> server_window, client_window;

 private:
  bool take(std::string_view parameter) {
    const auto parts = http::split(parameter, '=');
    if (parts.size() > 2 || !names_.insert(parts[0]).second) return false;
    std::optional<std::string_view> value;
    if (parts.size() == 2) value = unquoted(parts[1]);
    if (parts[0] == "server_no_context_takeover") return server_takes_over = false, !value;
    if (parts[0] == "client_no_context_takeover") return client_takes_over = false, !value;
    if (parts[0] == "server_max_window_bits") return value && (server_window = window_bits(*value));
    if (parts[0] == "client_max_window_bits") return (client_window = window_bits(value.value_or("15"))).has_value();
    return false;
  }

  static std::string_view unquoted(std::string_view value) {
    const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
    return quoted ? value.substr(1, value.size() - 2) : value;
  }

  std::set<std::string_view> names_;
};

std::optional<DeflateTerms> terms_for(std::string_view text, const WebSocketOptions& options) {
  Offer offer;
  if (!offer.parse(text)) return std::nullopt;
  DeflateTerms terms;
  terms.answer = "permessage-deflate";
  const auto say = [&](std::string_view parameter) { terms.answer.append("; ").append(parameter); };

  terms.server.takes_over = offer.server_takes_over && options.compress_context;
  terms.client.takes_over = offer.client_takes_over && options.compress_context;
  if (!terms.server.takes_over) say("server_no_context_takeover");
  if (!terms.client.takes_over) say("client_no_context_takeover");

  const int window = std::clamp(options.compress_window_bits, smallest_window, 15);
  terms.server.window_bits = std::min(window, offer.server_window.value_or(15));
  if (terms.server.window_bits < smallest_window) return std::nullopt;
  if (offer.server_window) say("server_max_window_bits=" + std::to_string(terms.server.window_bits));
  if (offer.client_window) {  // else the client cannot be told
    const int agreed = std::min(window, *offer.client_window);
    terms.client.window_bits = std::max(agreed, smallest_window);
    say("client_max_window_bits=" + std::to_string(agreed));
  }
  return terms;
}

void require(int result) {
  if (result != Z_OK) throw std::bad_alloc();
}

/// Has zlib's stream work on `input` until all of it is used and all that comes of it is in `out`, or `step` returns
/// false.
template <class Step>
void run(z_stream& stream, std::string_view input, std::string& out, Step step) {
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
  stream.avail_in = static_cast<uInt>(input.size());
  do {
    Bytef room[4096];
    stream.next_out = room;
    stream.avail_out = sizeof room;
    const bool goes_on = step();
    out.append(reinterpret_cast<const char*>(room), sizeof room - stream.avail_out);
    if (!goes_on) return;
  } while (stream.avail_in > 0 || stream.avail_out == 0);
}

}  // namespace

std::optional<DeflateTerms> agree_on_deflate(std::string_view offers, const WebSocketOptions& options) {
  for (const std::string_view offer : http::split(offers, ',')) {
    if (auto terms = terms_for(offer, options)) return terms;
  }
  return std::nullopt;
}

// Its tables are as large as its window then, and both together eight windows.
Deflater::Deflater(DeflateTerms::Side side) : takes_over_(side.takes_over) {
  require(deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -side.window_bits, side.window_bits - 7,
                       Z_DEFAULT_STRATEGY));
}

Deflater::~Deflater() { deflateEnd(&stream_); }

std::string Deflater::deflated(std::string_view message) {
  std::string out;
  run(stream_, message, out, [this] { return deflate(&stream_, Z_SYNC_FLUSH), true; });
  out.resize(out.size() - flush_mark.size());
  if (!takes_over_) deflateReset(&stream_);
  return out;
}

Inflater::Inflater(DeflateTerms::Side side) : takes_over_(side.takes_over) {
  require(inflateInit2(&stream_, -side.window_bits));
}

Inflater::~Inflater() { inflateEnd(&stream_); }

std::uint16_t Inflater::inflate(std::string& message, std::size_t limit) {
  if (message.empty()) return 0;  // RFC 7692, 7.2.3.6 makes a byte of it; not all clients do
  message.append(flush_mark);
  if (message.size() > max_deflated) return WSLAY_CODE_MESSAGE_TOO_BIG;
  std::string out;
  bool is_good = true, is_whole = false;
  run(stream_, message, out, [&] {
    const int result = ::inflate(&stream_, Z_SYNC_FLUSH);
    if (result == Z_BUF_ERROR) return true;  // there was nothing left to do
    is_good = result == Z_OK || result == Z_STREAM_END;
    is_whole = stream_.data_type & 128;  // between two blocks
    // RFC 7692, 7.2.3.4: a client may end what it compresses, and begin anew.
    if (result == Z_STREAM_END) {
      is_whole = stream_.avail_in <= flush_mark.size();
      inflateReset(&stream_);
    }
    return is_good && out.size() <= limit && !(result == Z_STREAM_END && is_whole);
  });
  if (out.size() > limit) return WSLAY_CODE_MESSAGE_TOO_BIG;
  if (!is_good || !is_whole) return WSLAY_CODE_INVALID_FRAME_PAYLOAD_DATA;
  if (!takes_over_) inflateReset(&stream_);
  message = std::move(out);
  return 0;
}

}  // namespace guv::inline v1
