napari-aitrain predict first-job/model aitrain-demo/test/images --out found-test
napari-aitrain evaluate found-test aitrain-demo/test/truth
