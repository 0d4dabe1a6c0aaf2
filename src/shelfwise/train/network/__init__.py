"""Networks trained from photos by torch, served by ONNX Runtime. Needs the extra [torch]."""
