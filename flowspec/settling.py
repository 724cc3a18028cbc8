"""From nodes as they are written to the graph they make: where each stands, what is inside."""

from __future__ import annotations

from collections.abc import Mapping

from flowspec.agents import AGENT, OF_EACH_TURN, agent_graph, made_ids
from flowspec.callbacks import OnFailure
from flowspec.edges import Link, Links, Written
from flowspec.nodes import Graph, Node, Tool
from flowspec.problems import Path
from flowspec.values import Json, JsonObject

__all__ = ["settled"]


def settled(
    nodes: Mapping[str, Node],
    links: Links,
    path: Path,
    *,
    output: Json,
    on_failure: OnFailure,
) -> Graph:
    """The graph of the flow or the block at `path`."""
    for id, node in nodes.items():
        place = (*path, "nodes", id)
        node.settle(id, place, _inside(node, id, place))
    nexts = (
        arrow.settled(id, (*node.path, "next"))
        for id, node in nodes.items()
        for arrow in node.arrows
    )
    listed = (link.settled(link.edge.source, (*path, "edges")) for link in links)
    return Graph(
        nodes=nodes,
        edges=(*nexts, *listed),
        output=output,
        on_failure=on_failure,
        path=path,
    )


def _inside(node: Node, id: str, path: Path) -> Graph | None:
    if node.type == AGENT:
        return _agent(node, id, path)
    if node.nodes is None:
        return None
    return settled(node.nodes, node.links, path, output=node.output, on_failure=node.on_failure)


def _agent(agent: Node, id: str, path: Path) -> Graph:
    """The graph that an agent stands for."""
    told: dict[str, Json] = {name: tool.told for name, tool in (agent.tools or {}).items()}
    taken = made_ids(id, told)  # one that has such an id is told so elsewhere
    tools = {name: tool for name, tool in (agent.tools or {}).items() if name not in taken}
    loop = agent_graph(id, agent.params, {name: tool.told for name, tool in tools.items()})
    edges = (Written((), Link.model_validate(edge)) for edge in loop.edges)
    return Graph(
        nodes={**_made(agent, loop.made, path), **_called(tools, loop.tools, path)},
        edges=tuple(each.settled(each.edge.source, path) for each in edges),
        output=loop.output,
        path=path,
    )


def _made(agent: Node, made: Mapping[str, JsonObject], path: Path) -> dict[str, Node]:
    """The nodes that nobody wrote, with what the agent has for its turns."""
    own = {name: getattr(agent, name) for name in OF_EACH_TURN}
    nodes = {id: Node.model_validate(one).model_copy(update=own) for id, one in made.items()}
    for id, node in nodes.items():
        node.settle(id, path, is_made=True)
    return nodes


def _called(
    tools: Mapping[str, Tool], changes: Mapping[str, JsonObject], path: Path
) -> dict[str, Node]:
    """The tools as nodes that run when the model calls them."""
    nodes: dict[str, Node] = {}
    for id, tool in tools.items():
        changed = Node.model_validate(changes[id] | {"type": tool.type})
        nodes[id] = tool.model_copy(update={key: getattr(changed, key) for key in changes[id]})
        place = (*path, "tools", id)
        nodes[id].settle(id, place, _inside(nodes[id], id, place))
    return nodes
