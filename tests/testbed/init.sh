#!/bin/bash
# The node's first process, in mount, network, PID, UTS and IPC namespaces of its own (node.py starts it).
# Whatever runs in the node is its descendant: when it is killed, the kernel ends all the rest and undoes
# every mount, link and firewall rule.
set -eu
state=$1 name=$2
first=$3 # components that start at once, the others when the file api-ready appears

mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/containerd /run/netns

# A sysfs of this network namespace, with the machine's control groups below it.
mkdir /run/cgroup
mount --rbind /sys/fs/cgroup /run/cgroup
umount -R -l /sys
mount -t sysfs sysfs /sys
mount --rbind /run/cgroup /sys/fs/cgroup
umount -R -l /run/cgroup
rmdir /run/cgroup

# Components write to fixed paths below /var (plugin sockets, results, links to logs): that goes to memory.
mkdir -p /run/var/upper /run/var/work /run/state
mount --rbind "$state" /run/state
mount -t overlay overlay -o lowerdir=/var,upperdir=/run/var/upper,workdir=/run/var/work /var
mount --rbind /run/state "$state"
umount -R -l /run/state

# The kubelet sets these for the whole machine. Here it finds files of its own in their place.
mkdir /run/settings
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
    kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    own=/run/settings/${setting//\//.}
    cat "/proc/sys/$setting" > "$own"
    mount --bind "$own" "/proc/sys/$setting"
done
mount --make-rshared /

hostname "$name"
ip link set lo up
sysctl -qw net.ipv4.ip_forward=1
# Pods of one node talk over a bridge; only with this do their packets pass the rules of network policies.
sysctl -qw net.bridge.bridge-nf-call-iptables=1

supervise() { # COMPONENT: run it, and again half a second after it ends
    local argv=()
    mapfile -d '' -t argv < "$state/commands/$1"
    while :; do
        "${argv[@]}" >> "$state/logs/$1.log" 2>&1 &
        echo $! > "$state/pids/$1"
        wait $! || true
        sleep 0.5
    done
}

for component in $first; do supervise "$component" & done
until [ -e "$state/api-ready" ]; do sleep 0.05; done
for file in "$state"/commands/*; do
    component=${file##*/}
    [[ " $first " == *" $component "* ]] || supervise "$component" &
done
touch "$state/started"
# The first process inherits orphans of the whole node; bash collects them while it waits.
while :; do wait -n || sleep 0.2; done
