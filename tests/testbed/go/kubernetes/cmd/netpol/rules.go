package main

import (
	"fmt"
	"sort"
	"strings"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// cluster is what the rules follow from.
type cluster struct {
	pods       []*core.Pod
	namespaces map[string]labels.Set
	policies   []*networking.NetworkPolicy
}

// rules returns the table: per selected pod and direction a chain of what is allowed, ending in drop.
func (c *cluster) rules() string {
	var chains, toPods, fromPods strings.Builder
	for _, pod := range c.pods {
		address := pod.Status.PodIP
		suffix := strings.ReplaceAll(address, ".", "_")
		if allowed, selected := c.allowed(pod, networking.PolicyTypeIngress); selected {
			writeChain(&chains, "in_"+suffix, pod, allowed)
			fmt.Fprintf(&toPods, "  ip daddr %s jump in_%s\n", address, suffix)
		}
		if allowed, selected := c.allowed(pod, networking.PolicyTypeEgress); selected {
			writeChain(&chains, "out_"+suffix, pod, allowed)
			fmt.Fprintf(&fromPods, "  ip saddr %s jump out_%s\n", address, suffix)
		}
	}
	const answers = "  ct state established,related accept\n"
	return "table inet netpol {}\ndelete table inet netpol\ntable inet netpol {\n" + chains.String() +
		" chain forward {\n  type filter hook forward priority -5; policy accept;\n" +
		answers + fromPods.String() + toPods.String() + " }\n" +
		// What a pod sends to the node itself is egress too: the API server is there.
		" chain input {\n  type filter hook input priority -5; policy accept;\n" +
		answers + fromPods.String() + " }\n}\n"
}

func writeChain(out *strings.Builder, name string, pod *core.Pod, allowed []string) {
	fmt.Fprintf(out, " chain %s { # %s/%s\n", name, pod.Namespace, pod.Name)
	for _, match := range allowed {
		fmt.Fprintf(out, "  %s return\n", match)
	}
	out.WriteString("  counter drop\n }\n")
}

// allowed returns the packets that policies let through to (or from) pod, and whether any policy selects it.
func (c *cluster) allowed(pod *core.Pod, direction networking.PolicyType) (matches []string, selected bool) {
	for _, policy := range c.policies {
		if policy.Namespace != pod.Namespace || !covers(policy, direction) ||
			!selects(&policy.Spec.PodSelector, pod.Labels) {
			continue
		}
		selected = true
		if direction == networking.PolicyTypeIngress {
			for _, rule := range policy.Spec.Ingress {
				matches = append(matches, c.ingress(policy, rule, pod)...)
			}
		} else {
			for _, rule := range policy.Spec.Egress {
				matches = append(matches, c.egress(policy, rule)...)
			}
		}
	}
	return matches, selected
}

func (c *cluster) ingress(policy *networking.NetworkPolicy, rule networking.NetworkPolicyIngressRule, pod *core.Pod) []string {
	ports := portMatches(rule.Ports, pod)
	if len(rule.From) == 0 {
		return ports
	}
	var matches []string
	for _, peer := range rule.From {
		if peer.IPBlock != nil {
			matches = append(matches, combine(blockMatch("ip saddr", peer.IPBlock), ports)...)
		} else if pods := c.peers(policy, peer); len(pods) > 0 {
			matches = append(matches, combine("ip saddr "+addresses(pods), ports)...)
		}
	}
	return matches
}

func (c *cluster) egress(policy *networking.NetworkPolicy, rule networking.NetworkPolicyEgressRule) []string {
	if len(rule.To) == 0 {
		return portMatches(rule.Ports, nil)
	}
	var matches []string
	for _, peer := range rule.To {
		if peer.IPBlock != nil {
			matches = append(matches, combine(blockMatch("ip daddr", peer.IPBlock), portMatches(rule.Ports, nil))...)
			continue
		}
		pods := c.peers(policy, peer)
		if len(pods) > 0 && !named(rule.Ports) {
			matches = append(matches, combine("ip daddr "+addresses(pods), portMatches(rule.Ports, nil))...)
			continue
		}
		for _, target := range pods { // a name means another number in each target
			matches = append(matches, combine("ip daddr "+target.Status.PodIP, portMatches(rule.Ports, target))...)
		}
	}
	return matches
}

// peers returns the pods that a peer of a policy means.
func (c *cluster) peers(policy *networking.NetworkPolicy, peer networking.NetworkPolicyPeer) []*core.Pod {
	var found []*core.Pod
	for _, pod := range c.pods {
		if peer.NamespaceSelector == nil {
			if pod.Namespace != policy.Namespace {
				continue
			}
		} else if !selects(peer.NamespaceSelector, c.namespaces[pod.Namespace]) {
			continue
		}
		if peer.PodSelector == nil || selects(peer.PodSelector, pod.Labels) {
			found = append(found, pod)
		}
	}
	return found
}

func blockMatch(field string, block *networking.IPBlock) string {
	if strings.Contains(block.CIDR, ":") {
		return ""
	}
	match := field + " " + block.CIDR
	if len(block.Except) > 0 {
		match += " " + field + " != { " + strings.Join(block.Except, ", ") + " }"
	}
	return match
}

func addresses(pods []*core.Pod) string {
	all := make([]string, len(pods))
	for i, pod := range pods {
		all[i] = pod.Status.PodIP
	}
	sort.Strings(all)
	return "{ " + strings.Join(all, ", ") + " }"
}

// portMatches returns one match per port; named ports are looked up in target, and match nothing without one.
func portMatches(ports []networking.NetworkPolicyPort, target *core.Pod) []string {
	if len(ports) == 0 {
		return []string{""}
	}
	var matches []string
	for _, port := range ports {
		protocol := "tcp"
		if port.Protocol != nil {
			protocol = strings.ToLower(string(*port.Protocol))
		}
		switch {
		case port.Port == nil:
			matches = append(matches, "meta l4proto "+protocol)
		case port.Port.Type == intstr.Int && port.EndPort != nil:
			matches = append(matches, fmt.Sprintf("%s dport %d-%d", protocol, port.Port.IntVal, *port.EndPort))
		case port.Port.Type == intstr.Int:
			matches = append(matches, fmt.Sprintf("%s dport %d", protocol, port.Port.IntVal))
		case target != nil:
			matches = append(matches, namedPort(port.Port.StrVal, protocol, target)...)
		}
	}
	return matches
}

func namedPort(name, protocol string, target *core.Pod) []string {
	var matches []string
	// A sidecar that starts first is an init container, and its ports count as well.
	for _, container := range append(append([]core.Container{}, target.Spec.InitContainers...), target.Spec.Containers...) {
		for _, port := range container.Ports {
			if port.Name == name && strings.EqualFold(string(port.Protocol), protocol) {
				matches = append(matches, fmt.Sprintf("%s dport %d", protocol, port.ContainerPort))
			}
		}
	}
	return matches
}

func named(ports []networking.NetworkPolicyPort) bool {
	for _, port := range ports {
		if port.Port != nil && port.Port.Type == intstr.String {
			return true
		}
	}
	return false
}

func combine(peer string, ports []string) []string {
	if peer == "" {
		return nil
	}
	matches := make([]string, len(ports))
	for i, port := range ports {
		matches[i] = strings.TrimSpace(peer + " " + port)
	}
	return matches
}

func covers(policy *networking.NetworkPolicy, direction networking.PolicyType) bool {
	for _, each := range policy.Spec.PolicyTypes {
		if each == direction {
			return true
		}
	}
	return false
}

func selects(selector *meta.LabelSelector, set labels.Set) bool {
	parsed, err := meta.LabelSelectorAsSelector(selector)
	return err == nil && parsed.Matches(set)
}
