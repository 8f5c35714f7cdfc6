"""Register devices, change, query and delete them, and write their shadows."""

from typing import overload

from iot_northbound.core.endpoint import Endpoint
from iot_northbound.core.fields import shown
from iot_northbound.dto.data_collection import QuerySingleDeviceInfoOutDTO
from iot_northbound.dto.device_management import (
    ModifyDeviceInforInDTO,
    ModifyDeviceShadowInDTO,
    MqttDeviceInfoDTO,
    QueryDeviceShadowOutDTO,
    QueryDeviceStatusOutDTO,
    RefreshDeviceKeyInDTO,
    RefreshDeviceKeyOutDTO,
    RegDeviceWithSecretInDTO,
    RegDeviceWithSecretOutDTO,
    RegDirectDeviceInDTO2,
    RegDirectDeviceOutDTO,
)
from iot_northbound.errors import AlreadyExistsError, InvalidArgumentError, NorthApiException, NotFoundError
from iot_northbound.services import finding
from iot_northbound.services.base import Service
from iot_northbound.services.data_collection import QUERY_DEVICES

REGISTER = Endpoint(
    "POST",
    "/iocm/app/reg/v1.1.0/deviceCredentials",
    RegDirectDeviceOutDTO,
    takes=RegDirectDeviceInDTO2,
    section="1.4.1",
)
REGISTER_WITH_SECRET = Endpoint(
    "POST",
    "/iocm/app/reg/v2.0.0/deviceCredentials",
    RegDeviceWithSecretOutDTO,
    takes=RegDeviceWithSecretInDTO,
    section="1.4.2",
)
REFRESH_KEY = Endpoint(
    "PUT",
    "/iocm/app/reg/v1.1.0/deviceCredentials/{device_id}",
    RefreshDeviceKeyOutDTO,
    takes=RefreshDeviceKeyInDTO,
    section="1.4.3",
)
MODIFY = Endpoint(
    "PUT",
    "/iocm/app/dm/v1.4.0/devices/{device_id}",
    type(None),
    takes=ModifyDeviceInforInDTO,
    section="1.4.4",
    success=204,
    repeatable=True,
)
DELETE = Endpoint("DELETE", "/iocm/app/dm/v1.4.0/devices/{device_id}", type(None), section="1.4.5", success=204)
QUERY_STATUS = Endpoint(
    "GET", "/iocm/app/reg/v1.1.0/deviceCredentials/{device_id}", QueryDeviceStatusOutDTO, section="1.4.7"
)
MODIFY_SHADOW = Endpoint(
    "PUT",
    "/iocm/app/shadow/v1.5.0/devices/{device_id}",
    type(None),
    takes=ModifyDeviceShadowInDTO,
    section="1.4.8",
    repeatable=True,
)
QUERY_SHADOW = Endpoint("GET", "/iocm/app/shadow/v1.5.0/devices/{device_id}", QueryDeviceShadowOutDTO, section="1.4.9")


class DeviceManagement(Service):
    """The life of a device: registration, data, credentials, shadow, deletion.

    In every method `app_id` names the application that authorised this one and owns the device. Leave it out for your
    own devices. `access_token` replaces the client's token.
    """

    def reg_direct_device(
        self, rdd_in_dto: RegDirectDeviceInDTO2, *, app_id: str | None = None, access_token: str | None = None
    ) -> RegDirectDeviceOutDTO:
        """Register a device with a verification code and return its id and code.

        The device must connect within `timeout` seconds (0: no limit), otherwise the platform forgets it. If no code or
        PSK is given, the platform makes one. Name the product with `product_id`, or with the five fields of
        `device_info`.

        Raises:
            AlreadyExistsError: the node id is registered (100426, 100416).
            NotFoundError: no such product (600002).
            QuotaReachedError: there is no room for another device: by the licence (103028), in the application
                (100412), or for devices that are not secure (100441).
            NotAuthorizedError: the calling application no longer exists (100025).
            PlatformFailureError: the platform has no licence (103026).
            InvalidArgumentError: a field breaks its rule (1007), or the platform refuses it (50400, 100007) or the
                verification code (100003).

        Reference: section 1.4.1.
        """
        return self._call(REGISTER, body=rdd_in_dto, query={"appId": app_id}, access_token=access_token)

    def reg_device_with_secret(
        self, rdws_in_dto: RegDeviceWithSecretInDTO, *, app_id: str | None = None, access_token: str | None = None
    ) -> RegDeviceWithSecretOutDTO:
        """Register a device that logs in with a password (MQTT) and return its id and secret.

        If no secret is given, the platform makes one. Keep it, because no other call returns it. The Java SDK has no
        such method.

        Raises:
            AlreadyExistsError: the node id is registered (100426).
            NotFoundError: no such product (600002).
            QuotaReachedError: the application has no room for another device (100412).
            PlatformFailureError: the platform has no licence (103026).
            InvalidArgumentError: a field breaks its rule (1007), or the platform refuses it (50400, 100007).

        Reference: section 1.4.2.
        """
        return self._call(REGISTER_WITH_SECRET, body=rdws_in_dto, query={"appId": app_id}, access_token=access_token)

    @overload
    def ensure_device(
        self, dto: RegDirectDeviceInDTO2, *, app_id: str | None = None, access_token: str | None = None
    ) -> RegDirectDeviceOutDTO: ...

    @overload
    def ensure_device(
        self, dto: RegDeviceWithSecretInDTO, *, app_id: str | None = None, access_token: str | None = None
    ) -> RegDeviceWithSecretOutDTO: ...

    def ensure_device(
        self,
        dto: RegDirectDeviceInDTO2 | RegDeviceWithSecretInDTO,
        *,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> RegDirectDeviceOutDTO | RegDeviceWithSecretOutDTO:
        """Register a device, or find the one that has its node id, and return its id.

        A new device comes with its code or secret. One that was there comes with its id only, because the platform
        sends a code or secret once. The same is true for a device whose registration got no answer: it is looked
        for, and registered again if it is not there. `refresh_device_key` makes a new code. The product and the other
        values of a device that was there are not compared with the DTO.

        Registering is one call. Finding costs what it costs in `find_device`, but the newest devices are read first.

        Raises:
            AlreadyExistsError: the node id is registered (100426, 100416), but the application does not see the device:
                another application owns it.
            NorthApiException: the registration failed in another way; see `reg_direct_device` and
                `reg_device_with_secret`. With `outcome_unknown` nobody knows whether the device is registered.

        Reference: sections 1.4.1, 1.4.2 and 1.5.2.
        """
        info: RegDirectDeviceInDTO2 | MqttDeviceInfoDTO | None
        made: type[RegDirectDeviceOutDTO | RegDeviceWithSecretOutDTO]
        if isinstance(dto, RegDeviceWithSecretInDTO):
            info, made = dto.device_info, RegDeviceWithSecretOutDTO
        else:
            info, made = dto, RegDirectDeviceOutDTO
        again = False
        while True:
            try:
                if isinstance(dto, RegDeviceWithSecretInDTO):
                    return self.reg_device_with_secret(dto, app_id=app_id, access_token=access_token)
                return self.reg_direct_device(dto, app_id=app_id, access_token=access_token)
            except NorthApiException as error:
                there = isinstance(error, AlreadyExistsError)
                if info is None or not (there or error.outcome_unknown):
                    raise
                devices = finding.walk(self._client, app_id=app_id, access_token=access_token)
                for _, device in finding.registered(devices, {info.node_id}):
                    if device.device_id:
                        return made(device_id=device.device_id)
                if there or again:
                    raise
            again = True

    def find_device(
        self,
        node_id: str,
        *,
        gateway_id: str | None = None,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> QuerySingleDeviceInfoOutDTO:
        """Return the newest device that reports itself with this node id.

        The API cannot search for node ids, so this reads the list of devices, the newest first, until the device is
        found: one call per 250 devices, and all pages if there is no such device. These are bulk calls. With
        `gateway_id` only the devices of this gateway are read. If you look for many node ids, read `iter_devices` once
        instead.

        Raises:
            NotFoundError: no device of the application has this node id (100403).

        Reference: sections 1.5.1 and 1.5.2.
        """
        if not isinstance(node_id, str) or not node_id:
            raise InvalidArgumentError.of("node_id", shown(node_id), "it must be text, and not empty")
        for device in finding.walk(self._client, app_id=app_id, gateway_id=gateway_id, access_token=access_token):
            if finding.node_id_of(device) == node_id:
                return device
        raise NotFoundError("100403", f"no device has the node id {shown(node_id)}", endpoint=QUERY_DEVICES.name)

    def refresh_device_key(
        self,
        rdk_in_dto: RefreshDeviceKeyInDTO,
        device_id: str,
        *,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> RefreshDeviceKeyOutDTO:
        """Give a device a new verification code, or a new node id, and return the valid code.

        `timeout` is the validity of the new code in seconds, 0 for no limit. The call is not repeated if its outcome is
        unknown, because the platform would make another code each time.

        Raises:
            NotFoundError: no such device (100403, 100418).
            AlreadyExistsError: the new node id is taken (100426).
            NotAuthorizedError: the calling application no longer exists (100025).
            InvalidArgumentError: the device is not activated yet (100610) or is online now (100611), a field breaks
                its rule (1007), or the platform refuses it (50400, 100007) or the verification code (100003).

        Reference: section 1.4.3.
        """
        return self._call(
            REFRESH_KEY, body=rdk_in_dto, query={"appId": app_id}, access_token=access_token, device_id=device_id
        )

    def modify_device_info(
        self,
        mdi_in_dto: ModifyDeviceInforInDTO,
        device_id: str,
        *,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> None:
        """Change the data of a device. Fields that are left out do not change.

        Raises:
            NotFoundError: no such device (100403, 100418).
            QuotaReachedError: there is no room for another frozen device (500004), or for another one that is not
                secure (100441).
            InvalidArgumentError: a field breaks its rule (1007), or the platform refuses it (50400, 100022, 100440).

        Reference: section 1.4.4.
        """
        self._call(MODIFY, body=mdi_in_dto, query={"appId": app_id}, access_token=access_token, device_id=device_id)

    def delete_direct_device(
        self,
        device_id: str,
        cascade: bool | None = None,
        *,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> None:
        """Delete a directly connected device.

        `cascade` has an effect only for gateways. True, the platform's default, also deletes the devices of the
        gateway. False deletes only the gateway, and its devices have no gateway then.

        Raises:
            NotFoundError: no such device (100403, 100418), also if an earlier try deleted it and its answer was lost.

        Reference: section 1.4.5.
        """
        self._call(DELETE, query={"cascade": cascade, "appId": app_id}, access_token=access_token, device_id=device_id)

    def query_device_status(
        self, device_id: str, *, app_id: str | None = None, access_token: str | None = None
    ) -> QueryDeviceStatusOutDTO:
        """Return whether the device has been activated, which means that it has logged in with its code once.

        Raises:
            NotFoundError: no such device (100403).

        Reference: section 1.4.7.
        """
        return self._call(QUERY_STATUS, query={"appId": app_id}, access_token=access_token, device_id=device_id)

    def query_device_shadow(
        self, device_id: str, *, app_id: str | None = None, access_token: str | None = None
    ) -> QueryDeviceShadowOutDTO:
        """Return a device's shadow: the last reported and the desired values of each service.

        Raises:
            NotFoundError: no such device (100418).

        Reference: section 1.4.9.
        """
        return self._call(QUERY_SHADOW, query={"appId": app_id}, access_token=access_token, device_id=device_id)

    def modify_device_shadow(
        self,
        mds_in_dto: ModifyDeviceShadowInDTO,
        device_id: str,
        *,
        app_id: str | None = None,
        access_token: str | None = None,
    ) -> None:
        """Set the desired values of a device's services. The platform sends them when the device is online.

        On a real platform only LWM2M devices have a shadow. The values are sent unchanged, also null, 1.0 and nested
        JSON.

        Raises:
            NotFoundError: no such device (100403, 100418), it has no profile (100425), or its service has no properties
                (107002).
            InvalidArgumentError: its profile has no such service (100431), the property is read-only (100443), or the
                platform refuses the request (50400).
            DeviceOfflineError: the platform does not know the property, or the device's state (107003).
            NotAuthorizedError: the application may not change this shadow (100203, 100217).

        Reference: section 1.4.8.
        """
        self._call(
            MODIFY_SHADOW, body=mds_in_dto, query={"appId": app_id}, access_token=access_token, device_id=device_id
        )
