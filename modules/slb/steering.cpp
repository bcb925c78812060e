#include "slb/steering.h"

namespace trivet::slb {
namespace {

// A packet to a server comes first: a target may be client of another server.
template <class Address>
FarSide far_side(const Directory& directory, const Address& source, const Address& destination) noexcept {
  if (directory.is_server(destination)) return FarSide::source;
  if (directory.index<Address>().reply_forms.find({source}) != nullptr) return FarSide::destination;
  return directory.is_server(source) ? FarSide::destination : FarSide::unknown;
}

}  // namespace

void ClientSteering::find_far_sides(std::span<const AddressPair> pairs, std::span<FarSide> sides) const noexcept {
  const Directory& directory = directory_.get();
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const AddressPair& pair = pairs[i];
    sides[i] = pair.source.is_v4() ? far_side(directory, pair.source.v4(), pair.destination.v4())
                                   : far_side(directory, pair.source.v6(), pair.destination.v6());
  }
}

}  // namespace trivet::slb
