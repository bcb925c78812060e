// Links: trivet_vrrp trivet_sdk
//
// The first byte is the hop limit, the rest a VRRP message. Whatever is accepted is built again byte for byte (but for
// the authentication data, which is ignored and sent as zero), and goes through a state machine.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "vrrp/engine.h"
#include "vrrp/wire.h"

namespace {

using namespace trivet;
using namespace trivet::vrrp;

void require(bool holds) {
  if (!holds) std::abort();
}

void run_engine(const Advert& advert) {
  Config config;
  config.has_section = true;
  config.vrid = advert.vrid;
  config.interval = 1;
  config.network = 1;
  config.preempt = true;
  Engine engine{1};
  const Time now = Time{} + std::chrono::seconds(10);
  static_cast<void>(engine.set_link(1, true, now));
  static_cast<void>(engine.configure(config, now));
  static_cast<void>(engine.attach({Ipv4Address{{10, 0, 0, 1}}, {1}, {}}, now));
  require(engine.role() == Role::backup);
  static_cast<void>(engine.receive({1, Ipv4Address{{10, 0, 0, 2}}, 1, advert}, now));
  require(engine.role() == Role::backup && engine.poll_at() > now);
  static_cast<void>(engine.on_time(engine.poll_at()));
  static_cast<void>(engine.receive({1, Ipv4Address{{10, 0, 0, 2}}, 1, advert}, now + std::chrono::seconds(5)));
  require(engine.poll_at() != never);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> message(data + 1, size - 1);
  const AdvertCheck check = check_advert(message, data[0]);
  const auto parsed = parse_advert(message, data[0]);
  require(check.ok == parsed.has_value());
  if (!parsed) {
    require(parsed.error() == check.error);
    return 0;
  }
  const std::vector<std::uint8_t> again = build_message(*parsed);
  require(again.size() == message.size());
  const auto compared = [](std::size_t i) { return i != 6 && i != 7; };  // the checksum covers the authentication data
  for (std::size_t i = 0; i < again.size() - authentication_length; ++i) {
    require(!compared(i) || again[i] == message[i]);
  }
  require(parse_advert(again, required_hop_limit) == parsed);
  run_engine(*parsed);
  return 0;
}
