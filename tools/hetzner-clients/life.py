"""Takes a load balancer through its life with hcloud-python, against the endpoint in HCLOUD_ENDPOINT; prints what it saw."""

import json
import os

from hcloud import APIException, Client
from hcloud.images import Image
from hcloud.load_balancer_types import LoadBalancerType
from hcloud.load_balancers import (
    LoadBalancerAlgorithm,
    LoadBalancerHealthCheck,
    LoadBalancerHealthCheckHttp,
    LoadBalancerService,
    LoadBalancerTarget,
    LoadBalancerTargetIP,
    LoadBalancerTargetLabelSelector,
)
from hcloud.locations import Location
from hcloud.server_types import ServerType


def tcp(listen_port, destination_port, proxyprotocol=False):
    return LoadBalancerService(
        protocol="tcp",
        listen_port=listen_port,
        destination_port=destination_port,
        proxyprotocol=proxyprotocol,
        health_check=LoadBalancerHealthCheck(
            protocol="http",
            port=10256,
            interval=5,
            timeout=3,
            retries=2,
            http=LoadBalancerHealthCheckHttp(path="/healthz", status_codes=["200"]),
        ),
    )


client = Client(
    token=os.environ["HCLOUD_TOKEN"],
    api_endpoint=os.environ["HCLOUD_ENDPOINT"],
    poll_interval=0.02,
)
saw = {"locations": len(client.locations.get_all())}

server = client.servers.create(
    name="python-node",
    server_type=ServerType(name="cx22"),
    image=Image(name="ubuntu-24.04"),
    location=Location(name="fsn1"),
    labels={"made-by": "python"},
)
server.action.wait_until_finished()

created = client.load_balancers.create(
    name="python-balancer",
    load_balancer_type=LoadBalancerType(name="lb11"),
    network_zone="eu-central",
    algorithm=LoadBalancerAlgorithm(type="round_robin"),
    labels={"made-by": "python"},
    services=[tcp(80, 30080, True)],
    targets=[LoadBalancerTarget(type="server", server=server.server, use_private_ip=False)],
)
created.action.wait_until_finished()
balancer = created.load_balancer
saw["ipv4"] = balancer.public_net.ipv4.ip
saw["ipv6"] = balancer.public_net.ipv6.ip

balancer.add_service(tcp(443, 30443)).wait_until_finished()
balancer.update_service(tcp(443, 30444, True)).wait_until_finished()
balancer.add_target(
    LoadBalancerTarget(type="ip", ip=LoadBalancerTargetIP(ip="192.0.2.9"))
).wait_until_finished()
balancer.add_target(
    LoadBalancerTarget(
        type="label_selector",
        label_selector=LoadBalancerTargetLabelSelector(selector="made-by=python"),
        use_private_ip=False,
    )
).wait_until_finished()
balancer.change_algorithm(LoadBalancerAlgorithm(type="least_connections")).wait_until_finished()
balancer.change_type(LoadBalancerType(name="lb21")).wait_until_finished()
balancer.change_dns_ptr(saw["ipv4"], "lb.example.org").wait_until_finished()
balancer.delete_service(tcp(80, 30080)).wait_until_finished()
balancer.remove_target(
    LoadBalancerTarget(type="server", server=server.server)
).wait_until_finished()
balancer.update(name="python-renamed", labels={"made-by": "python", "step": "2"})

[last] = client.load_balancers.get_all(label_selector="made-by=python,step in (1,2)")
saw["name"] = last.name
saw["algorithm"] = last.algorithm.type
saw["type"] = last.load_balancer_type.name
saw["dns"] = last.public_net.ipv4.dns_ptr
saw["services"] = [
    f"{service.protocol} {service.listen_port}>{service.destination_port} proxy={str(service.proxyprotocol).lower()}"
    for service in last.services
]
saw["targets"] = [f"{target.type}({len(target.targets or [])})" for target in last.targets]

try:
    client.load_balancers.create(
        name="python-renamed",
        load_balancer_type=LoadBalancerType(name="lb11"),
        network_zone="eu-central",
    )
    saw["uniqueness"] = False
except APIException as error:
    saw["uniqueness"] = error.code == "uniqueness_error"

last.delete().action.wait_until_finished()
try:
    client.load_balancers.get_by_id(last.id)
    saw["gone"] = False
except APIException as error:
    saw["gone"] = error.code == "not_found"
server.server.delete().wait_until_finished()
print(json.dumps(saw))
