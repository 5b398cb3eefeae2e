// netpol enforces networking.k8s.io/v1 NetworkPolicy on one node with nftables.
//
// It watches pods, namespaces and policies, writes one table of rules from all of them, and swaps that
// table in as one transaction, so that no packet ever meets half of it.
//
// What it does not do: IPv6; cutting a connection that was there before a policy; holding a new pod's
// packets back for the tens of milliseconds until its address is in the table.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sort"
	"strings"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// settle is how long changes are collected before the table is written: a rollout changes many pods at once.
const settle = 20 * time.Millisecond

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	factory := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(config), 0)
	changed := watch(factory)
	applied := ""
	for range changed {
		time.Sleep(settle)
		select {
		case <-changed:
		default:
		}
		cluster := observe(factory)
		rules := cluster.rules()
		if rules == applied {
			continue
		}
		if err := apply(rules); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s\n", err, rules)
			time.AfterFunc(time.Second, func() { signal(changed) })
			continue
		}
		applied = rules
		fmt.Fprintf(os.Stderr, "%s applied: %d pods, %d policies\n",
			time.Now().Format(time.RFC3339Nano), len(cluster.pods), len(cluster.policies))
	}
}

// watch returns a channel that holds one value whenever something changed since it was last read.
func watch(factory informers.SharedInformerFactory) chan struct{} {
	changed := make(chan struct{}, 1)
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { signal(changed) },
		UpdateFunc: func(any, any) { signal(changed) },
		DeleteFunc: func(any) { signal(changed) },
	}
	for _, informer := range []cache.SharedIndexInformer{
		factory.Core().V1().Pods().Informer(),
		factory.Core().V1().Namespaces().Informer(),
		factory.Networking().V1().NetworkPolicies().Informer(),
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			panic(err)
		}
	}
	never := make(chan struct{})
	factory.Start(never)
	factory.WaitForCacheSync(never)
	signal(changed)
	return changed
}

func signal(changed chan struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

// observe reads the watched objects, in an order that gives the same rules for the same cluster.
func observe(factory informers.SharedInformerFactory) *cluster {
	seen := &cluster{namespaces: map[string]labels.Set{}}
	pods, _ := factory.Core().V1().Pods().Lister().List(labels.Everything())
	for _, pod := range pods {
		if hasOwnAddress(pod) {
			seen.pods = append(seen.pods, pod)
		}
	}
	sort.Slice(seen.pods, func(i, j int) bool { return seen.pods[i].Status.PodIP < seen.pods[j].Status.PodIP })
	namespaces, _ := factory.Core().V1().Namespaces().Lister().List(labels.Everything())
	for _, namespace := range namespaces {
		seen.namespaces[namespace.Name] = namespace.Labels
	}
	seen.policies, _ = factory.Networking().V1().NetworkPolicies().Lister().List(labels.Everything())
	sort.Slice(seen.policies, func(i, j int) bool {
		a, b := seen.policies[i], seen.policies[j]
		return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
	})
	return seen
}

func hasOwnAddress(pod *core.Pod) bool {
	ended := pod.Status.Phase == core.PodSucceeded || pod.Status.Phase == core.PodFailed
	return !ended && !pod.Spec.HostNetwork && strings.Contains(pod.Status.PodIP, ".")
}

func apply(rules string) error {
	command := exec.Command("nft", "-f", "-")
	command.Stdin = strings.NewReader(rules)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, output)
	}
	return nil
}
