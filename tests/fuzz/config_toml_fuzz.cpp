// Links: trivet_core trivet_sdk
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/config_round_trip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trivet::core::config_fuzz::check({reinterpret_cast<const char*>(data), size}, trivet::core::ConfigFormat::toml);
  return 0;
}
