// A whole node on a virtual network: real modules, real core, interfaces in memory, the network's clock.
//
// Interfaces of the configuration are ports of the network, found by their names. A node can be started, stopped (says
// goodbye), killed (says nothing), paused and continued, and started again. Thread: one. Owner: the test; the network
// outlives it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "trivet/abi.h"
#include "trivet/command.h"
#include "trivet/result.h"
#include "trivet/testkit/virtual_network.h"
#include "trivet/topics/role.h"

namespace trivet::testkit {

class VirtualNode {
 public:
  // `mac_base` tells the nodes' MACs apart: interface N has 02:00:00:<base>:00:NN.
  VirtualNode(VirtualNetwork& network, std::string name, std::vector<const ModuleDescriptor*> modules,
              std::string config_text, std::uint8_t mac_base);
  VirtualNode(const VirtualNode&) = delete;
  VirtualNode& operator=(const VirtualNode&) = delete;
  ~VirtualNode();

  // The port behind an interface's name ("eth1"); exists from construction on.
  [[nodiscard]] VirtualNetwork::PortId port(const std::string& interface) const;

  void start();
  void stop();
  void kill();
  void pause();  // does nothing and loses what comes in, until proceed()
  void proceed();
  [[nodiscard]] bool is_running() const;
  Problems reload(const std::string& config_text);

  // Of a running node; init otherwise.
  [[nodiscard]] Role role() const;
  [[nodiscard]] Report command(const std::string& line);
  [[nodiscard]] std::uint64_t drops(std::string_view module, std::string_view reason) const;
  // "12.345 lb1 vrrp: text" of all its lives.
  [[nodiscard]] const std::vector<std::string>& log() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace trivet::testkit
