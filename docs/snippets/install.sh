python -m pip install -c constraints.txt ".[all]" && napari-aitrain demo
