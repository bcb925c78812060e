#include "hc/agent_wire.h"

#include <cstring>

#include "trivet/net/endian.h"

namespace trivet::hc::agent_wire {
namespace {

enum class Kind : std::uint8_t { request = 1, answer = 2 };
enum class Status : std::uint8_t { value = 0, no_value = 1 };

struct Message {
  Be32 magic;
  std::uint8_t version = 0;
  std::uint8_t kind = 0;
  std::uint8_t status = 0;
  std::uint8_t reserved = 0;
  Be64 nonce;
  Be64 value;
};
static_assert(sizeof(Message) == message_size && alignof(Message) == 1);

Bytes to_bytes(Kind kind, Status status, std::uint64_t nonce, std::uint64_t value) {
  Message message;
  message.magic = magic;
  message.version = version;
  message.kind = static_cast<std::uint8_t>(kind);
  message.status = static_cast<std::uint8_t>(status);
  message.nonce = nonce;
  message.value = value;
  return std::bit_cast<Bytes>(message);
}

std::expected<Message, Fault> parse(std::span<const std::uint8_t> bytes, Kind kind) {
  if (bytes.size() != message_size) {
    return std::unexpected(Fault::wrong_size);
  }
  Message message;
  std::memcpy(&message, bytes.data(), message_size);
  if (message.magic.value() != magic) {
    return std::unexpected(Fault::wrong_magic);
  }
  if (message.version != version) {
    return std::unexpected(Fault::wrong_version);
  }
  if (message.kind != static_cast<std::uint8_t>(kind)) {
    return std::unexpected(Fault::wrong_kind);
  }
  if (message.reserved != 0) {
    return std::unexpected(Fault::not_zero);
  }
  return message;
}

}  // namespace

std::string_view to_string(Fault fault) {
  switch (fault) {
    case Fault::wrong_size:
      return "wrong size";
    case Fault::wrong_magic:
      return "wrong magic";
    case Fault::wrong_version:
      return "wrong version";
    case Fault::wrong_kind:
      return "wrong kind";
    case Fault::wrong_status:
      return "wrong status";
    case Fault::not_zero:
      return "a field that must be zero is not";
    case Fault::negative:
      return "negative value";
  }
  return "?";
}

Bytes encode(const Request& request) { return to_bytes(Kind::request, Status::value, request.nonce, 0); }

Bytes encode(const Answer& answer) {
  if (!answer.value || *answer.value < 0) {
    return to_bytes(Kind::answer, Status::no_value, answer.nonce, 0);
  }
  return to_bytes(Kind::answer, Status::value, answer.nonce, static_cast<std::uint64_t>(*answer.value));
}

std::expected<Request, Fault> parse_request(std::span<const std::uint8_t> bytes) {
  const auto message = parse(bytes, Kind::request);
  if (!message) {
    return std::unexpected(message.error());
  }
  if (message->status != 0 || message->value.value() != 0) {
    return std::unexpected(Fault::not_zero);
  }
  return Request{message->nonce.value()};
}

std::expected<Answer, Fault> parse_answer(std::span<const std::uint8_t> bytes) {
  const auto message = parse(bytes, Kind::answer);
  if (!message) {
    return std::unexpected(message.error());
  }
  const auto value = static_cast<std::int64_t>(message->value.value());
  switch (Status{message->status}) {
    case Status::value:
      if (value < 0) {
        return std::unexpected(Fault::negative);
      }
      return Answer{message->nonce.value(), value};
    case Status::no_value:
      if (value != 0) {
        return std::unexpected(Fault::not_zero);
      }
      return Answer{message->nonce.value(), std::nullopt};
  }
  return std::unexpected(Fault::wrong_status);
}

}  // namespace trivet::hc::agent_wire
