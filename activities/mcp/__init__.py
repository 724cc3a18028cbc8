"""Node types that use the tools of MCP servers: `mcp.call` and `mcp.tools`."""
