// Takes a load balancer through its life with hcloud-go, against the endpoint in HCLOUD_ENDPOINT; prints what it saw.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	saw, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(saw); err != nil {
		panic(err)
	}
}

func run(ctx context.Context) (map[string]any, error) {
	client := hcloud.NewClient(
		hcloud.WithEndpoint(os.Getenv("HCLOUD_ENDPOINT")),
		hcloud.WithToken(os.Getenv("HCLOUD_TOKEN")),
		hcloud.WithPollOpts(hcloud.PollOpts{BackoffFunc: hcloud.ConstantBackoff(20 * time.Millisecond)}),
	)
	saw := map[string]any{}

	locations, err := client.Location.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("locations: %w", err)
	}
	saw["locations"] = len(locations)
	types, err := client.LoadBalancerType.All(ctx)
	if err != nil {
		return nil, fmt.Errorf("types: %w", err)
	}

	server, _, err := client.Server.Create(ctx, hcloud.ServerCreateOpts{
		Name:       "go-node",
		ServerType: &hcloud.ServerType{Name: "cx22"},
		Image:      &hcloud.Image{Name: "ubuntu-24.04"},
		Location:   &hcloud.Location{Name: "fsn1"},
		Labels:     map[string]string{"made-by": "go"},
	})
	if err != nil {
		return nil, fmt.Errorf("create server: %w", err)
	}
	if err := client.Action.WaitFor(ctx, append(server.NextActions, server.Action)...); err != nil {
		return nil, fmt.Errorf("wait for server: %w", err)
	}

	created, _, err := client.LoadBalancer.Create(ctx, hcloud.LoadBalancerCreateOpts{
		Name:             "go-balancer",
		LoadBalancerType: types[0],
		NetworkZone:      hcloud.NetworkZoneEUCentral,
		Algorithm:        &hcloud.LoadBalancerAlgorithm{Type: hcloud.LoadBalancerAlgorithmTypeRoundRobin},
		Labels:           map[string]string{"made-by": "go"},
		PublicInterface:  hcloud.Ptr(true),
		Services: []hcloud.LoadBalancerCreateOptsService{{
			Protocol:        hcloud.LoadBalancerServiceProtocolTCP,
			ListenPort:      hcloud.Ptr(80),
			DestinationPort: hcloud.Ptr(30080),
			Proxyprotocol:   hcloud.Ptr(true),
			HealthCheck: &hcloud.LoadBalancerCreateOptsServiceHealthCheck{
				Protocol: hcloud.LoadBalancerServiceProtocolHTTP,
				Port:     hcloud.Ptr(10256),
				Interval: hcloud.Ptr(5 * time.Second),
				Timeout:  hcloud.Ptr(3 * time.Second),
				Retries:  hcloud.Ptr(2),
				HTTP:     &hcloud.LoadBalancerCreateOptsServiceHealthCheckHTTP{Path: hcloud.Ptr("/healthz"), StatusCodes: []string{"200"}},
			},
		}},
		Targets: []hcloud.LoadBalancerCreateOptsTarget{{
			Type:   hcloud.LoadBalancerTargetTypeServer,
			Server: hcloud.LoadBalancerCreateOptsTargetServer{Server: server.Server},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	if err := client.Action.WaitFor(ctx, created.Action); err != nil {
		return nil, fmt.Errorf("wait for create: %w", err)
	}
	balancer := created.LoadBalancer
	saw["ipv4"] = balancer.PublicNet.IPv4.IP.String()
	saw["ipv6"] = balancer.PublicNet.IPv6.IP.String()

	steps := []struct {
		name string
		do   func() (*hcloud.Action, *hcloud.Response, error)
	}{
		{"add service", func() (*hcloud.Action, *hcloud.Response, error) {
			return client.LoadBalancer.AddService(ctx, balancer, hcloud.LoadBalancerAddServiceOpts{
				Protocol: hcloud.LoadBalancerServiceProtocolTCP, ListenPort: hcloud.Ptr(443), DestinationPort: hcloud.Ptr(30443),
			})
		}},
		{"update service", func() (*hcloud.Action, *hcloud.Response, error) {
			return client.LoadBalancer.UpdateService(ctx, balancer, 443, hcloud.LoadBalancerUpdateServiceOpts{
				DestinationPort: hcloud.Ptr(30444), Proxyprotocol: hcloud.Ptr(true),
			})
		}},
		{"add IP target", func() (*hcloud.Action, *hcloud.Response, error) {
			return client.LoadBalancer.AddIPTarget(ctx, balancer, hcloud.LoadBalancerAddIPTargetOpts{IP: net.ParseIP("192.0.2.9")})
		}},
		{"add label selector target", func() (*hcloud.Action, *hcloud.Response, error) {
			return client.LoadBalancer.AddLabelSelectorTarget(ctx, balancer, hcloud.LoadBalancerAddLabelSelectorTargetOpts{Selector: "made-by=go"})
		}},
		{"change algorithm", func() (*hcloud.Action, *hcloud.Response, error) {
			return client.LoadBalancer.ChangeAlgorithm(ctx, balancer, hcloud.LoadBalancerChangeAlgorithmOpts{Type: hcloud.LoadBalancerAlgorithmTypeLeastConnections})
		}},
		{"change type", func() (*hcloud.Action, *hcloud.Response, error) {
			return client.LoadBalancer.ChangeType(ctx, balancer, hcloud.LoadBalancerChangeTypeOpts{LoadBalancerType: types[1]})
		}},
		{"change reverse DNS", func() (*hcloud.Action, *hcloud.Response, error) {
			return client.LoadBalancer.ChangeDNSPtr(ctx, balancer, balancer.PublicNet.IPv4.IP.String(), hcloud.Ptr("lb.example.org"))
		}},
		{"delete service", func() (*hcloud.Action, *hcloud.Response, error) {
			return client.LoadBalancer.DeleteService(ctx, balancer, 80)
		}},
		{"remove server target", func() (*hcloud.Action, *hcloud.Response, error) {
			return client.LoadBalancer.RemoveServerTarget(ctx, balancer, server.Server)
		}},
	}
	for _, step := range steps {
		action, _, err := step.do()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
		if err := client.Action.WaitFor(ctx, action); err != nil {
			return nil, fmt.Errorf("wait for %s: %w", step.name, err)
		}
	}
	if _, _, err := client.LoadBalancer.Update(ctx, balancer, hcloud.LoadBalancerUpdateOpts{
		Name: "go-renamed", Labels: map[string]string{"made-by": "go", "step": "2"},
	}); err != nil {
		return nil, fmt.Errorf("update: %w", err)
	}

	listed, err := client.LoadBalancer.AllWithOpts(ctx, hcloud.LoadBalancerListOpts{
		ListOpts: hcloud.ListOpts{LabelSelector: "made-by=go,step in (1,2)"},
	})
	if err != nil || len(listed) != 1 {
		return nil, fmt.Errorf("list: %d, %w", len(listed), err)
	}
	last := listed[0]
	saw["name"] = last.Name
	saw["algorithm"] = last.Algorithm.Type
	saw["type"] = last.LoadBalancerType.Name
	saw["dns"] = last.PublicNet.IPv4.DNSPtr
	services := []string{}
	for _, service := range last.Services {
		services = append(services, fmt.Sprintf("%s %d>%d proxy=%t", service.Protocol, service.ListenPort, service.DestinationPort, service.Proxyprotocol))
	}
	saw["services"] = services
	targets := []string{}
	for _, target := range last.Targets {
		targets = append(targets, fmt.Sprintf("%s(%d)", target.Type, len(target.Targets)))
	}
	saw["targets"] = targets

	_, _, err = client.LoadBalancer.Create(ctx, hcloud.LoadBalancerCreateOpts{
		Name: "go-renamed", LoadBalancerType: types[0], NetworkZone: hcloud.NetworkZoneEUCentral,
	})
	saw["uniqueness"] = hcloud.IsError(err, hcloud.ErrorCodeUniquenessError)

	deleted, _, err := client.LoadBalancer.DeleteWithResult(ctx, last)
	if err != nil {
		return nil, fmt.Errorf("delete: %w", err)
	}
	if err := client.Action.WaitFor(ctx, deleted.Action); err != nil {
		return nil, fmt.Errorf("wait for delete: %w", err)
	}
	gone, _, err := client.LoadBalancer.GetByID(ctx, last.ID)
	if err != nil {
		return nil, fmt.Errorf("get after delete: %w", err)
	}
	saw["gone"] = gone == nil
	serverDeleted, _, err := client.Server.DeleteWithResult(ctx, server.Server)
	if err != nil {
		return nil, fmt.Errorf("delete server: %w", err)
	}
	return saw, client.Action.WaitFor(ctx, serverDeleted.Action)
}
