"""Node types that ask language models: `llm.chat` and `llm.embed`."""
