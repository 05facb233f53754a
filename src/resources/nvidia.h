// The GPUs of NVIDIA that this machine shows: whole ones as "gpu" with the indices that CUDA uses in the
// order of the PCI bus, MIG slices as "mig-1g.10gb" with their UUIDs. Read from the driver's files;
// nvidia-smi is asked only where they do not tell (slices; links between more than two GPUs).
#pragma once

#include <map>
#include <string>

#include "tasks/machine.h"

namespace deuteron::resources {

// Where to look; other places are for tests.
struct NvidiaPlaces {
  std::string root;  // before /proc, /sys and /dev
  std::string program = "nvidia-smi";
};

// Nothing when there is no driver. What nvidia-smi does not tell is left away, and the log says so.
std::map<std::string, tasks::Resource> nvidia_gpus(const NvidiaPlaces& places = {});

}  // namespace deuteron::resources
