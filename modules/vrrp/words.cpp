#include "vrrp/words.h"

#include <chrono>

namespace trivet::vrrp::words {

std::string seconds(Duration duration) {
  const auto hundredths = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count() / 10;
  const auto rest = hundredths % 100;
  std::string text = std::to_string(hundredths / 100);
  if (rest != 0) text += (rest < 10 ? ".0" : ".") + std::to_string(rest);
  return text + " s";
}

std::string list(const std::vector<Ipv4Address>& addresses) {
  if (addresses.empty()) return "none";
  std::string text;
  for (const Ipv4Address& address : addresses) {
    if (!text.empty()) text += ", ";
    text += to_string(address);
  }
  return text;
}

std::string silent(const Ipv4Address& master, Duration silence) {
  return "no advertisement" + (master.is_unspecified() ? std::string() : " of " + to_string(master)) + " for " +
         seconds(silence);
}

std::string left(const Ipv4Address& master) { return "the master " + to_string(master) + " has stopped (priority 0)"; }

std::string outbids(const Ipv4Address& master, std::uint8_t theirs, std::uint8_t ours) {
  return "the master " + to_string(master) + " has priority " + std::to_string(theirs) + ", we have " +
         std::to_string(ours);
}

std::string beaten_by(const Ipv4Address& master, std::uint8_t theirs, std::uint8_t ours) {
  const std::string who = "the master " + to_string(master) + " has ";
  if (theirs == ours) return who + "the same priority " + std::to_string(ours) + " and the higher address";
  return who + "priority " + std::to_string(theirs) + ", we have " + std::to_string(ours);
}

}  // namespace trivet::vrrp::words
