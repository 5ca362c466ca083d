"""OSCQuery: describes the controls to other programs over HTTP and WebSocket (Vidvox proposal).

https://github.com/Vidvox/OSCQueryProposal
"""
