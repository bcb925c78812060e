// Which side of a packet is the client's: what the core spreads sessions over workers by (see trivet/steering.h).
//
// Thread: any worker; reads the directory that they read.
#pragma once

#include <span>

#include "slb/directory.h"
#include "trivet/snapshot.h"
#include "trivet/steering.h"

namespace trivet::slb {

class ClientSteering final : public Steering {
 public:
  // `directory` lives longer.
  explicit ClientSteering(const Snapshot<Directory>& directory) : directory_(directory) {}

  // To an address of a server: the source. From a target whose replies come this way, or (direct return through this
  // node) from an address of a server: the destination.
  void find_far_sides(std::span<const AddressPair> pairs, std::span<FarSide> sides) const noexcept override;

 private:
  const Snapshot<Directory>& directory_;
};

}  // namespace trivet::slb
