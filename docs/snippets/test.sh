python -m pip install -c constraints.txt tox && tox
